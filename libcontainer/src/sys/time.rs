//! Times as text.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SECONDS_A_DAY: u64 = 86_400;

/// `2026-11-21T12:05:08.123456789Z`: RFC 3339 in UTC with as many decimals as are not zero, which is
/// what Go prints as RFC3339Nano and clients parse. Times before 1970 are given as 1970.
#[must_use]
pub fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (year, month, day) = date(since.as_secs() / SECONDS_A_DAY);
    let second = since.as_secs() % SECONDS_A_DAY;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if since.subsec_nanos() != 0 {
        let decimals = format!(".{:09}", since.subsec_nanos());
        text.push_str(decimals.trim_end_matches('0'));
    }
    text.push('Z');
    text
}

/// Year, month and day of the Gregorian calendar, from the days since 1970-01-01.
///
/// Years are counted from March, so that the leap day is a year's last and the months before it have
/// the lengths 31 30 31 30 31 | 31 30 31 30 31 | 31, which `(153 * month + 2) / 5` sums up.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_IN_400_YEARS: u64 = 146_097;
    const FROM_0000_03_01_TO_1970: u64 = 719_468;
    let days = days + FROM_0000_03_01_TO_1970;
    let era = days / DAYS_IN_400_YEARS;
    let day_of_era = days % DAYS_IN_400_YEARS;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / (DAYS_IN_400_YEARS - 1)) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, nanos: u32) -> String {
        rfc3339(UNIX_EPOCH + Duration::new(seconds, nanos))
    }

    #[test]
    fn known_moments() {
        assert_eq!(at(0, 0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_400, 0), "2000-02-29T00:00:00Z");
        assert_eq!(at(1_709_164_799, 0), "2024-02-28T23:59:59Z");
        assert_eq!(at(1_732_190_708, 0), "2024-11-21T12:05:08Z");
        assert_eq!(at(4_107_542_400, 0), "2100-03-01T00:00:00Z");
    }

    #[test]
    fn decimals_end_at_the_last_that_is_not_zero() {
        assert_eq!(at(1, 123_456_789), "1970-01-01T00:00:01.123456789Z");
        assert_eq!(at(1, 120_000_000), "1970-01-01T00:00:01.12Z");
        assert_eq!(at(1, 1), "1970-01-01T00:00:01.000000001Z");
    }

    #[test]
    fn every_day_of_800_years_follows_the_one_before() {
        let mut before = date(0);
        for days in 1..800 * 366 {
            let (year, month, day) = date(days);
            let next_day = (before.0, before.1, before.2 + 1);
            let next_month = (before.0, before.1 + 1, 1);
            let next_year = (before.0 + 1, 1, 1);
            assert!([next_day, next_month, next_year].contains(&(year, month, day)), "{year}-{month}-{day}");
            assert!(day <= 31 && month <= 12);
            before = (year, month, day);
        }
    }
}
