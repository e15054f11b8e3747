use super::{Bound, CgroupError, pointer};

pub(super) fn limit(limit: i64) -> Result<Bound, CgroupError> {
    match Bound::from_signed(limit, pointer::PIDS)? {
        // 0 and 1 both refuse every fork of a container that runs, but a process can still be
        // cloned into an empty cgroup with 1.
        Bound::At(0) => Ok(Bound::At(1)),
        limit => Ok(limit),
    }
}
