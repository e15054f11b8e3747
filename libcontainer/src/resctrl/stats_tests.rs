//! Against a folder that looks like the root of the file system.

use std::fs;

use super::*;

struct Tree(tempfile::TempDir);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            let path = tree.0.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        tree
    }

    fn stats(&self, groups: &[&str]) -> Option<Stats> {
        let groups = groups.iter().map(|group| self.0.path().join(group)).collect();
        stats(&Membership { groups, own: Vec::new() }).unwrap()
    }
}

const ALL: &[(&str, &str)] = &[
    ("info/L3/cbm_mask", "fffff\n"),
    ("info/L3/min_cbm_bits", "1\n"),
    ("info/L3/num_closids", "16\n"),
    ("info/MB/bandwidth_gran", "10\n"),
    ("info/MB/delay_linear", "1\n"),
    ("info/MB/min_bandwidth", "10\n"),
    ("info/MB/num_closids", "8\n"),
    ("info/L3_MON/mon_features", "llc_occupancy\nmbm_total_bytes\nmbm_local_bytes\n"),
    ("schemata", "    MB:0=100;1=100\n    L3:0=fffff;1=fffff\n"),
    ("web/schemata", "    MB:0=20;1=70\n    L3:0=7f0;1=1f\n"),
    ("web/mon_groups/web-1/mon_data/mon_L3_01/mbm_total_bytes", "11\n"),
    ("web/mon_groups/web-1/mon_data/mon_L3_01/mbm_local_bytes", "12\n"),
    ("web/mon_groups/web-1/mon_data/mon_L3_01/llc_occupancy", "13\n"),
    ("web/mon_groups/web-1/mon_data/mon_L3_00/mbm_total_bytes", "1\n"),
    ("web/mon_groups/web-1/mon_data/mon_L3_00/mbm_local_bytes", "Unavailable\n"),
    ("web/mon_groups/web-1/mon_data/mon_L3_00/llc_occupancy", "3\n"),
];

#[test]
fn allocation_is_the_class_s_and_use_the_monitoring_group_s() {
    let stats = Tree::new(ALL).stats(&["web", "web/mon_groups/web-1"]).unwrap();
    let cache = stats.cache.unwrap();
    assert_eq!(cache.info, CacheInfo { cbm_mask: "fffff".into(), min_cbm_bits: 1, num_closids: 16 });
    assert_eq!((cache.root_schema.as_str(), cache.schema.as_str()), ("L3:0=fffff;1=fffff", "L3:0=7f0;1=1f"));
    let bandwidth = stats.bandwidth.unwrap();
    assert_eq!(bandwidth.info.bandwidth_gran + bandwidth.info.num_closids, 18);
    assert_eq!(
        (bandwidth.root_schema.as_str(), bandwidth.schema.as_str()),
        ("MB:0=100;1=100", "MB:0=20;1=70")
    );
    let moved = [Bandwidth { total: 1, local: 0 }, Bandwidth { total: 11, local: 12 }];
    assert_eq!(stats.monitored.bandwidth, moved);
    assert_eq!(stats.monitored.cache_occupancy, [3, 13]);
}

#[test]
fn what_the_host_has_not_is_left_out() {
    let only_cache: Vec<_> =
        ALL.iter().copied().filter(|(name, _)| !name.contains("MB") && !name.contains("MON")).collect();
    let stats = Tree::new(&only_cache).stats(&["web"]).unwrap();
    assert!(stats.cache.is_some());
    assert_eq!((stats.bandwidth, stats.monitored), (None, Monitored::default()));
}

#[test]
fn without_groups_there_is_nothing_to_tell() {
    assert_eq!(Tree::new(ALL).stats(&[]), None);
    assert_eq!(Tree::new(&[]).stats(&["web"]), None);
}
