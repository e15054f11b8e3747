//! Reading of small files whose size somebody else decides.

use std::fs::File;
use std::io::Read;

use rustix::fd::OwnedFd;
use rustix::io::Errno;

/// Reads a file to its end, but never more than `limit` bytes: a longer file is `EFBIG`, so that nobody
/// can exhaust our memory by making a file grow.
pub(crate) fn read_bounded(file: OwnedFd, limit: usize) -> Result<Vec<u8>, Errno> {
    // What is read is a page at most, as a rule: one read, and one that finds the end.
    let mut bytes = Vec::with_capacity(limit.min(4096));
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    File::from(file)
        .take(one_more)
        .read_to_end(&mut bytes)
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    if bytes.len() > limit { Err(Errno::FBIG) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zeros(count: u64) -> OwnedFd {
        let file = tempfile::tempfile().unwrap();
        file.set_len(count).unwrap();
        file.into()
    }

    #[test]
    fn a_file_of_exactly_the_limit_is_read_and_a_longer_one_is_refused() {
        assert_eq!(read_bounded(zeros(64), 64), Ok(vec![0; 64]));
        assert_eq!(read_bounded(zeros(65), 64), Err(Errno::FBIG));
    }
}
