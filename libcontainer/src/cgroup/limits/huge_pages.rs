use oci_spec::runtime::LinuxHugepageLimit;

use super::{CgroupError, pointer};

/// The limit of huge pages of one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HugePages {
    /// The size as the kernel writes it in names of control files, `2MB` for example.
    pub size: String,
    /// Bytes, in use as well as reserved.
    pub limit: u64,
}

impl HugePages {
    pub(super) fn all(limits: &[LinuxHugepageLimit]) -> Result<Vec<Self>, CgroupError> {
        limits.iter().enumerate().map(|(index, limit)| Self::new(limit, index)).collect()
    }

    fn new(limit: &LinuxHugepageLimit, index: usize) -> Result<Self, CgroupError> {
        let at = |field: &str| format!("{}/{index}/{field}", pointer::HUGE_PAGES);
        let size = limit.page_size().as_str();
        if !is_page_size(size) {
            return Err(CgroupError::invalid(
                at("pageSize"),
                format!("{size:?}"),
                "is not a size such as 2MB",
            ));
        }
        let bytes = u64::try_from(limit.limit())
            .map_err(|_| CgroupError::invalid(at("limit"), limit.limit(), "is not a number of bytes"))?;
        Ok(Self { size: size.to_owned(), limit: bytes })
    }
}

/// The size becomes a part of a file's name, so it has to be exactly what the kernel makes names of.
fn is_page_size(size: &str) -> bool {
    let digits = ["KB", "MB", "GB"].iter().find_map(|unit| size.strip_suffix(unit)).unwrap_or_default();
    !digits.is_empty() && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
}
