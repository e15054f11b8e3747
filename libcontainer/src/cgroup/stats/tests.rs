//! Against folders that look like cgroups.

use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

struct Fake(TempDir);

impl Fake {
    fn new(files: &[(&str, &str)]) -> Self {
        let fake = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            fs::write(fake.0.path().join(name), text).unwrap();
        }
        fake
    }

    fn dir(&self) -> Dir {
        Dir::open(self.0.path()).unwrap()
    }
}

fn entry(major: u64, minor: u64, operation: &str, value: u64) -> IoEntry {
    IoEntry { major, minor, operation: operation.to_owned(), value }
}

#[test]
fn v1_figures_are_gathered_from_their_hierarchies() {
    let accounting = Fake::new(&[
        ("cpuacct.usage", "14191615\n"),
        ("cpuacct.stat", "user 3\nsystem 4\n"),
        ("cpuacct.usage_percpu", "11781081 2410534 \n"),
        ("cpuacct.usage_all", "cpu user system\n0 7 11981493\n1 8 9\n"),
    ]);
    let cpu = Fake::new(&[("cpu.stat", "nr_periods 5\nnr_throttled 2\nthrottled_time 77\nnr_bursts 0\n")]);
    let pids = Fake::new(&[("pids.current", "3\n"), ("pids.max", "max\n")]);
    let cpuset = Fake::new(&[
        ("cpuset.cpus", "0-2,5\n"),
        ("cpuset.mems", "0\n"),
        ("cpuset.sched_load_balance", "1\n"),
        ("cpuset.sched_relax_domain_level", "-1\n"),
    ]);
    let dirs: Vec<PathBuf> =
        [&accounting, &cpu, &pids, &cpuset].iter().map(|fake| fake.0.path().to_owned()).collect();
    let stats = stats(&dirs).unwrap();
    let usage = CpuUsage {
        total: 14_191_615,
        user: 30_000_000,
        kernel: 40_000_000,
        per_cpu: vec![11_781_081, 2_410_534],
        per_cpu_kernel: vec![11_981_493, 9],
        per_cpu_user: vec![7, 8],
    };
    assert_eq!(stats.cpu.usage, usage);
    assert_eq!(stats.cpu.throttling, Throttling { periods: 5, throttled_periods: 2, throttled_time: 77 });
    assert_eq!(stats.pids, Pids { current: 3, limit: 0 });
    assert_eq!((stats.cpuset.cpus, stats.cpuset.mems), (vec![0, 1, 2, 5], vec![0]));
    assert_eq!((stats.cpuset.sched_load_balance, stats.cpuset.sched_relax_domain_level), (1, -1));
    assert_eq!((stats.memory, stats.io), (Memory::default(), Io::default()));
}

#[test]
fn v1_memory_has_four_kinds() {
    let mut files = vec![("memory.stat".to_owned(), "cache 4096\nrss 8192\n".to_owned())];
    for (number, kind) in (1..).zip(["memory", "memory.memsw", "memory.kmem", "memory.kmem.tcp"]) {
        for (digit, name) in (1..).zip(["limit_in_bytes", "usage_in_bytes", "max_usage_in_bytes", "failcnt"])
        {
            files.push((format!("{kind}.{name}"), format!("{number}{digit}\n")));
        }
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let memory = v1::memory(&Fake::new(&files).dir()).unwrap().unwrap();
    let of = |tens: u64| MemoryUse { limit: tens + 1, usage: tens + 2, max: tens + 3, failures: tens + 4 };
    assert_eq!(
        [memory.usage, memory.swap, memory.kernel, memory.kernel_tcp],
        [of(10), of(20), of(30), of(40)]
    );
    assert_eq!((memory.cache, memory.raw.len()), (4096, 2));
}

#[test]
fn v1_devices_are_read_from_the_best_files_that_tell_anything() {
    let plain = ("blkio.throttle.io_serviced", "8:0 Read 124\n8:0 Total 228\nTotal 228\n");
    let bytes = ("blkio.throttle.io_service_bytes", "8:0 Read 1282048\nTotal 3477504\n");
    let io = v1::io(&Fake::new(&[plain, bytes]).dir()).unwrap().unwrap();
    assert_eq!(io.serviced, [entry(8, 0, "Read", 124), entry(8, 0, "Total", 228)]);
    assert_eq!(io.service_bytes, [entry(8, 0, "Read", 1_282_048)]);

    let fake = Fake::new(&[
        plain,
        bytes,
        ("blkio.bfq.sectors_recursive", ""),
        ("blkio.bfq.io_serviced_recursive", "259:1 Write 9\n"),
        ("blkio.sectors_recursive", "8:0 6792\n"),
    ]);
    let io = v1::io(&fake.dir()).unwrap().unwrap();
    assert_eq!(io.serviced, [entry(259, 1, "Write", 9)]);
    assert_eq!((io.sectors, io.service_bytes), (vec![], vec![]));

    let fake = Fake::new(&[
        plain,
        ("blkio.sectors_recursive", "8:0 6792\n"),
        ("blkio.io_queued_recursive", "8:0 Sync 1\n"),
    ]);
    let io = v1::io(&fake.dir()).unwrap().unwrap();
    assert_eq!((io.sectors, io.queued), (vec![entry(8, 0, "", 6792)], vec![entry(8, 0, "Sync", 1)]));
}

#[test]
fn v2_times_are_microseconds() {
    let fake = Fake::new(&[(
        "cpu.stat",
        "usage_usec 11965\nuser_usec 3975\nsystem_usec 7990\nnr_periods 4\nnr_throttled 3\nthrottled_usec 2\n",
    )]);
    let usage = v2::cpu_usage(&fake.dir()).unwrap();
    assert_eq!((usage.total, usage.kernel, usage.user), (11_965_000, 7_990_000, 3_975_000));
    let throttling = v2::throttling(&fake.dir()).unwrap();
    assert_eq!(throttling, Throttling { periods: 4, throttled_periods: 3, throttled_time: 2_000 });
}

#[test]
fn v2_memory_is_told_in_the_terms_of_v1() {
    let memory = |files: &[(&str, &str)]| v2::memory(&Fake::new(files).dir()).unwrap();
    let all = memory(&[
        ("memory.current", "1000\n"),
        ("memory.max", "4000\n"),
        ("memory.peak", "2000\n"),
        ("memory.swap.current", "10\n"),
        ("memory.swap.max", "500\n"),
        ("memory.stat", "anon 1\nfile 300\n"),
    ]);
    assert_eq!(all.usage, MemoryUse { limit: 4000, usage: 1000, max: 2000, failures: 0 });
    assert_eq!(all.swap, MemoryUse { limit: 4500, usage: 1010, max: 0, failures: 0 });
    assert_eq!((all.cache, all.raw["anon"]), (300, 1));
    let unlimited = memory(&[("memory.current", "1\n"), ("memory.max", "max\n"), ("memory.swap.max", "7\n")]);
    assert_eq!((unlimited.usage.limit, unlimited.swap.limit), (u64::MAX, u64::MAX));
    assert_eq!(memory(&[]), Memory::default());
}

#[test]
fn v2_pids_are_counted_without_their_controller() {
    let with = Fake::new(&[("pids.current", "3\n"), ("pids.max", "77\n"), ("cgroup.procs", "1\n")]);
    assert_eq!(v2::pids(&with.dir()).unwrap(), Pids { current: 3, limit: 77 });
    let without = Fake::new(&[("cgroup.procs", "12\n13\n")]);
    assert_eq!(v2::pids(&without.dir()).unwrap(), Pids { current: 2, limit: 0 });
}

#[test]
fn v2_devices_are_sorted_into_the_lists_of_v1() {
    let text = "254:1 rbytes=69 wbytes=142 rios=26 wios=24 dbytes=5 dios=6\n(unknown)\n8:16\n259:0 rbytes=1 cost.usage=x\n";
    let io = v2::io(&Fake::new(&[("io.stat", text)]).dir()).unwrap();
    assert_eq!(
        io.service_bytes,
        [entry(254, 1, "Read", 69), entry(254, 1, "Write", 142), entry(259, 0, "Read", 1)]
    );
    assert_eq!(io.serviced, [entry(254, 1, "Read", 26), entry(254, 1, "Write", 24)]);
}

#[test]
fn huge_pages_that_are_reserved_count_where_the_kernel_counts_them() {
    let v1 = Fake::new(&[
        ("hugetlb.2MB.usage_in_bytes", "1\n"),
        ("hugetlb.2MB.rsvd.usage_in_bytes", "2\n"),
        ("hugetlb.2MB.rsvd.max_usage_in_bytes", "3\n"),
        ("hugetlb.2MB.rsvd.failcnt", "4\n"),
        ("hugetlb.1GB.usage_in_bytes", "5\n"),
    ]);
    let pages = v1::huge_pages(&v1.dir()).unwrap().unwrap();
    assert_eq!(pages["2MB"], HugePages { usage: 2, max: 3, failures: 4 });
    assert_eq!(pages["1GB"], HugePages { usage: 5, max: 0, failures: 0 });
    let v2 = Fake::new(&[
        ("hugetlb.2MB.current", "1\n"),
        ("hugetlb.2MB.rsvd.current", "2\n"),
        ("hugetlb.2MB.events", "max 9\n"),
        ("hugetlb.2MB.max", "max\n"),
    ]);
    let pages = v2::huge_pages(&v2.dir()).unwrap();
    assert_eq!(pages.len(), 1);
    assert_eq!(pages["2MB"], HugePages { usage: 2, max: 0, failures: 9 });
}

#[test]
fn pressure_is_read_as_far_as_the_kernel_tells() {
    let text = "some avg10=1.50 avg60=0.00 avg300=99.99 total=2865\n";
    let pressure =
        v2::pressure(&Fake::new(&[("cpu.pressure", text)]).dir(), "cpu.pressure").unwrap().unwrap();
    assert_eq!(pressure.some, Stall { avg10: 1.5, avg60: 0.0, avg300: 99.99, total: 2865 });
    assert_eq!(pressure.full, Stall::default());
    assert_eq!(v2::pressure(&Fake::new(&[]).dir(), "cpu.pressure").unwrap(), None);
}

#[test]
fn what_the_kernel_never_writes_is_an_error_that_names_the_file() {
    let long = "x".repeat(100_000);
    for (file, text) in [
        ("cpuacct.usage", "many\n"),
        ("cpuacct.usage", ""),
        ("memory.usage_in_bytes", long.as_str()),
        ("pids.current", "1 2\n"),
        ("cpuset.cpus", "0-\n"),
        ("cpuset.cpus", "70000\n"),
        ("cpuset.cpus", "3-2\n"),
        ("cpuset.cpus", "0-3,0-3\n"),
        ("blkio.throttle.io_serviced", "8:0 Read many\n"),
        ("blkio.throttle.io_serviced", "8:0\n"),
    ] {
        let fake = Fake::new(&[(file, text)]);
        let error = stats(&[fake.0.path().to_owned()]).unwrap_err();
        let CgroupError::Malformed { path, found } = &error else { panic!("{error}") };
        assert!(path.ends_with(file), "{error}");
        assert!(found.len() <= 80 && text.contains(found.trim()), "{error}");
    }
}

#[test]
fn a_counter_below_zero_is_zero() {
    let fake = Fake::new(&[("pids.current", "-5\n")]);
    assert_eq!(v1::pids(&fake.dir()).unwrap().unwrap().current, 0);
}

#[test]
fn a_cgroup_that_is_gone_has_no_figures() {
    assert_eq!(stats(&["/no/such/cgroup".into()]).unwrap(), Stats::default());
}

const FILES: &[&str] = &[
    "cpuacct.usage",
    "cpuacct.stat",
    "cpuacct.usage_all",
    "cpuacct.usage_percpu",
    "cpu.stat",
    "memory.usage_in_bytes",
    "memory.current",
    "memory.stat",
    "cpuset.cpus",
    "blkio.throttle.io_serviced",
    "io.stat",
    "cpu.pressure",
    "hugetlb.2MB.current",
    "hugetlb.2MB.events",
    "pids.current",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_files_hold_nothing_panics(
        texts in proptest::collection::vec("([a-z0-9:=.,/ -]{0,12}\n?){0,4}|\\PC{0,20}", FILES.len())
    ) {
        let files: Vec<(&str, &str)> =
            FILES.iter().copied().zip(texts.iter().map(String::as_str)).collect();
        let fake = Fake::new(&files);
        let (path, dir) = (fake.0.path().to_owned(), fake.dir());
        // Figures or an error, but no panic.
        drop(stats(&[path]));
        drop((v2::cpu_usage(&dir), v2::throttling(&dir), v2::memory(&dir), v2::pids(&dir)));
        drop((v2::io(&dir), v2::huge_pages(&dir), v2::pressure(&dir, "cpu.pressure")));
    }
}
