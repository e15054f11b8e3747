//! Mount attributes and flags of linux/mount.h that libc does not name yet.
#![allow(missing_docs)]

pub const RDONLY: u64 = 0x1;
pub const NOSUID: u64 = 0x2;
pub const NODEV: u64 = 0x4;
pub const NOEXEC: u64 = 0x8;

/// `struct mount_attr`, first version (mount_setattr(2)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct MountAttr {
    /// `MOUNT_ATTR_*` to set.
    pub set: u64,
    /// `MOUNT_ATTR_*` to clear.
    pub clear: u64,
    /// One of `MS_SHARED`, `MS_SLAVE`, `MS_PRIVATE`, `MS_UNBINDABLE`, or 0 to leave it.
    pub propagation: u64,
    /// User namespace for `MOUNT_ATTR_IDMAP`.
    pub userns_fd: u64,
}

impl MountAttr {
    /// Whether applying it would do nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set == 0 && self.clear == 0 && self.propagation == 0
    }

    /// First this one, then the other, in one.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        Self {
            set: self.set & !next.clear | next.set,
            clear: self.clear & !next.set | next.clear,
            propagation: if next.propagation == 0 { self.propagation } else { next.propagation },
            userns_fd: self.userns_fd | next.userns_fd,
        }
    }
}
