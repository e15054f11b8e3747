//! `floor ROOTFS CGROUP PROGRAM [SOURCE TARGET]…`: the least that a container costs, with a read-only bind for each
//! source and target.
//!
//! Makes only the kernel calls that a container of the default config cannot avoid, with everything known
//! beforehand: no config, no checks, no state, no cleanup after a failure. What a runtime takes above this is
//! its own doing, which is what the benchmark compares.
#![no_main]
#![allow(unsafe_code, reason = "bare system calls are the point of this program")]

use core::ffi::CStr;
use core::ptr::null;

use libc::{c_char, c_int, c_ulong, c_void};

struct Mount {
    source: &'static CStr,
    target: &'static CStr,
    kind: &'static CStr,
    flags: c_ulong,
    data: &'static CStr,
    make_target: bool,
}

/// libc's own constant of this name has overflowed its type.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

const SAFE: c_ulong = libc::MS_NOSUID | libc::MS_NOEXEC | libc::MS_NODEV;

const MOUNTS: [Mount; 7] = [
    Mount { source: c"proc", target: c"proc", kind: c"proc", flags: 0, data: c"", make_target: false },
    Mount {
        source: c"tmpfs",
        target: c"dev",
        kind: c"tmpfs",
        flags: libc::MS_NOSUID | libc::MS_STRICTATIME,
        data: c"mode=755,size=65536k",
        make_target: false,
    },
    Mount {
        source: c"devpts",
        target: c"dev/pts",
        kind: c"devpts",
        flags: libc::MS_NOSUID | libc::MS_NOEXEC,
        data: c"newinstance,ptmxmode=0666,mode=0620,gid=5",
        make_target: true,
    },
    Mount {
        source: c"shm",
        target: c"dev/shm",
        kind: c"tmpfs",
        flags: SAFE,
        data: c"mode=1777,size=65536k",
        make_target: true,
    },
    Mount {
        source: c"mqueue",
        target: c"dev/mqueue",
        kind: c"mqueue",
        flags: SAFE,
        data: c"",
        make_target: true,
    },
    Mount {
        source: c"sysfs",
        target: c"sys",
        kind: c"sysfs",
        flags: SAFE | libc::MS_RDONLY,
        data: c"",
        make_target: false,
    },
    Mount {
        source: c"cgroup",
        target: c"sys/fs/cgroup",
        kind: c"cgroup2",
        flags: SAFE | libc::MS_RELATIME | libc::MS_RDONLY,
        data: c"",
        make_target: false,
    },
];

const DEVICES: [(&CStr, u32, u32); 5] = [
    (c"dev/null", 1, 3),
    (c"dev/zero", 1, 5),
    (c"dev/full", 1, 7),
    (c"dev/random", 1, 8),
    (c"dev/urandom", 1, 9),
];

/// Called by the C start-up code.
///
/// # Safety
/// `argv` holds `argc` C strings.
// SAFETY: no other `main` exists in this program, as `no_main` keeps Rust from making one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    let Some(binds) = usize::try_from(argc).ok().and_then(|count| count.checked_sub(4)) else {
        return 2;
    };
    // SAFETY: the start-up code keeps this function's contract, and `argc` is 4 at least.
    let ([rootfs, cgroup, program], binds) = unsafe {
        let binds = core::slice::from_raw_parts(argv.add(4), binds);
        ([*argv.add(1), *argv.add(2), *argv.add(3)], binds)
    };
    // SAFETY: the strings are valid as said above, and no other thread exists.
    unsafe { contain(rootfs, cgroup, program, binds) }
}

/// # Safety
/// The arguments are C strings, and the process has one thread.
unsafe fn contain(
    rootfs: *const c_char,
    cgroup: *const c_char,
    program: *const c_char,
    binds: &[*const c_char],
) -> c_int {
    // SAFETY: the strings are valid by this function's contract; `args` is a full clone_args that outlives the
    // call, and without CLONE_VM the child continues on its own copy of this stack.
    unsafe {
        check(c"mkdir cgroup", libc::mkdir(cgroup, 0o755));
        let fd =
            check(c"open cgroup", libc::open(cgroup, libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC));
        let mut args: libc::clone_args = core::mem::zeroed();
        args.flags = (libc::CLONE_NEWPID
            | libc::CLONE_NEWNET
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWUTS
            | libc::CLONE_NEWNS
            | libc::CLONE_NEWCGROUP) as u64
            | CLONE_INTO_CGROUP;
        args.exit_signal = libc::SIGCHLD as u64;
        args.cgroup = fd as u64;
        let pid = check(
            c"clone3",
            libc::syscall(libc::SYS_clone3, &raw const args, size_of::<libc::clone_args>()) as c_int,
        );
        if pid == 0 {
            enter(rootfs, program, binds);
        }
        let mut status = 0;
        check(c"waitpid", libc::waitpid(pid, &raw mut status, 0));
        check(c"rmdir cgroup", libc::rmdir(cgroup));
        libc::WEXITSTATUS(status)
    }
}

/// The container's first process, up to its program.
///
/// # Safety
/// The arguments are C strings.
unsafe fn enter(rootfs: *const c_char, program: *const c_char, binds: &[*const c_char]) -> ! {
    let none = null::<c_char>();
    // SAFETY: all strings are literals or valid by this function's contract, and the argument vector of
    // execve ends with a null pointer.
    unsafe {
        check(c"mount /", libc::mount(none, c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, null()));
        check(c"bind rootfs", libc::mount(rootfs, rootfs, none, libc::MS_BIND | libc::MS_REC, null()));
        check(c"chdir rootfs", libc::chdir(rootfs));
        for mount in &MOUNTS {
            if mount.make_target {
                check(mount.target, libc::mkdir(mount.target.as_ptr(), 0o755));
            }
            let data = mount.data.as_ptr().cast::<c_void>();
            let (source, target, kind) = (mount.source.as_ptr(), mount.target.as_ptr(), mount.kind.as_ptr());
            check(mount.target, libc::mount(source, target, kind, mount.flags, data));
        }
        for (path, major, minor) in DEVICES {
            let device = libc::makedev(major, minor);
            check(path, libc::mknod(path.as_ptr(), libc::S_IFCHR | 0o666, device));
        }
        for pair in binds.chunks_exact(2) {
            let [source, target] = *pair else { continue };
            check(c"bind", libc::mount(source, target, none, libc::MS_BIND | libc::MS_REC, null()));
            let read_only = libc::MS_BIND | libc::MS_REMOUNT | libc::MS_RDONLY;
            check(c"read-only", libc::mount(none, target, none, read_only, null()));
        }
        let here = c".".as_ptr();
        check(c"pivot_root", libc::syscall(libc::SYS_pivot_root, here, here) as c_int);
        check(c"umount old root", libc::umount2(here, libc::MNT_DETACH));
        check(c"chdir /", libc::chdir(c"/".as_ptr()));
        let (argv, envp) = ([program, none], [none]);
        check(c"execve", libc::execve(program, argv.as_ptr(), envp.as_ptr()));
        libc::_exit(1)
    }
}

/// Ends the process with the name of the call that failed.
fn check(what: &CStr, result: c_int) -> c_int {
    if result < 0 {
        // SAFETY: `what` is a C string; perror and _exit take nothing else.
        unsafe {
            libc::perror(what.as_ptr());
            libc::_exit(1);
        }
    }
    result
}
