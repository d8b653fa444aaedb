//! A profile as bytes, for the database: four bytes a stay and a few for the rest.

use super::{
    profile::Profile,
    stays::{STAYS_MAX, Stay, Stays},
};

const LAYOUT: u8 = 2;

/// Bytes that are not a profile, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBytes {
    #[error("is cut short")]
    Short,
    #[error("has {0} bytes too many")]
    Long(usize),
    #[error("has the unknown layout {0}")]
    Layout(u8),
    #[error("has {0} stays, at most {STAYS_MAX} are kept")]
    Stays(usize),
    #[error("has day {0}, which no calendar has")]
    Day(i32),
}

/// Farthest day from 1970-01-01, either way.
const DAY_MAX: i32 = 4_400_000;

impl Profile {
    /// Layout 2, little endian: layout byte; days (u128); last seen (i64, seconds since 1970); newest and first day
    /// (i32); whether stays were dropped; number of stays; per stay its start (i32, local quarter hours since 1970)
    /// and its length (u8, quarter hours).
    pub fn encode(&self) -> Vec<u8> {
        let (days, last_seen_s, newest_day, first_day) = self.parts();
        let stays = self.stays();
        let mut bytes = Vec::with_capacity(35 + 5 * stays.len());
        bytes.push(LAYOUT);
        bytes.extend_from_slice(&days.to_le_bytes());
        bytes.extend_from_slice(&last_seen_s.to_le_bytes());
        bytes.extend_from_slice(&newest_day.to_le_bytes());
        bytes.extend_from_slice(&first_day.to_le_bytes());
        bytes.push(u8::from(stays.dropped()));
        bytes.push(stays.len() as u8);
        for stay in stays.iter() {
            bytes.extend_from_slice(&stay.start.to_le_bytes());
            bytes.push((stay.end - stay.start) as u8);
        }
        bytes
    }

    /// Reads what [`Profile::encode`] wrote.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, BadBytes> {
        let [layout] = take(&mut bytes)?;
        if layout != LAYOUT {
            return Err(BadBytes::Layout(layout));
        }
        let days = u128::from_le_bytes(take(&mut bytes)?);
        let last_seen_s = i64::from_le_bytes(take(&mut bytes)?);
        let newest_day = i32::from_le_bytes(take(&mut bytes)?);
        let first_day = i32::from_le_bytes(take(&mut bytes)?);
        let [dropped] = take(&mut bytes)?;
        let [count] = take(&mut bytes)?;
        let count = usize::from(count);
        if count > STAYS_MAX {
            return Err(BadBytes::Stays(count));
        }
        let mut stays = Vec::with_capacity(count);
        for _ in 0..count {
            let start = i32::from_le_bytes(take(&mut bytes)?);
            let [length] = take(&mut bytes)?;
            let day = start.div_euclid(96);
            if !(-DAY_MAX..=DAY_MAX).contains(&day) {
                return Err(BadBytes::Day(day));
            }
            stays.push(Stay { start, end: start + i32::from(length) });
        }
        if !bytes.is_empty() {
            return Err(BadBytes::Long(bytes.len()));
        }
        if stays.is_empty() {
            return Ok(Self::default());
        }
        if let Some(day) = [newest_day, first_day].into_iter().find(|day| !(-DAY_MAX..=DAY_MAX).contains(day))
        {
            return Err(BadBytes::Day(day));
        }
        let stays = Stays::restore(stays.into_iter(), dropped != 0);
        Ok(Self::restore(days, last_seen_s, newest_day, first_day, stays))
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], BadBytes> {
    let (head, rest) = bytes.split_first_chunk().ok_or(BadBytes::Short)?;
    *bytes = rest;
    Ok(*head)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_come_back_as_the_same_profile(ats in proptest::collection::vec(-1_000_000_000..2_000_000_000i64, 0..300)) {
            let mut profile = Profile::default();
            for at_s in ats {
                profile.see_second(at_s, 3_600, 7_200);
            }
            let back = Profile::decode(&profile.encode()).expect("was encoded");
            prop_assert_eq!(back.parts(), profile.parts());
            prop_assert_eq!((back.first_day(), back.last_seen()), (profile.first_day(), profile.last_seen()));
            let tomorrow = profile.last_seen().map_or(0, |at| (at.as_second() + 3_600).div_euclid(86_400) as i32 + 1);
            prop_assert_eq!(back.days_before(tomorrow), profile.days_before(tomorrow));
            prop_assert!(back.stays().iter().eq(profile.stays().iter()));
        }

        #[test]
        fn noise_is_refused(noise in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Profile::decode(&noise);
        }
    }

    #[test]
    fn broken_bytes_say_what_is_wrong() {
        let mut profile = Profile::default();
        profile.see_second(1_700_000_000, 0, 7_200);
        let good = profile.encode();
        assert_eq!(Profile::decode(&good[..good.len() - 1]), Err(BadBytes::Short));
        assert_eq!(Profile::decode(&[&good[..], &[0]].concat()), Err(BadBytes::Long(1)));
        assert_eq!(Profile::decode(&[9]), Err(BadBytes::Layout(9)));
    }

    #[test]
    fn numbers_that_no_profile_has_are_refused_wherever_they_stand() {
        let mut profile = Profile::default();
        profile.see_second(1_700_000_000, 0, 7_200);
        let with = |from: usize, number: i32| {
            let mut bytes = profile.encode();
            bytes[from..from + 4].copy_from_slice(&number.to_le_bytes());
            Profile::decode(&bytes)
        };
        // Newest day, first day, and the beginning of the stay.
        for (from, per_day) in [(25, 1), (29, 1), (35, 96)] {
            for day in [DAY_MAX + 1, -DAY_MAX - 1] {
                assert_eq!(with(from, day * per_day), Err(BadBytes::Day(day)), "at {from}");
            }
            assert!(with(from, DAY_MAX * per_day).is_ok() && with(from, -DAY_MAX * per_day).is_ok());
        }
    }

    #[test]
    fn as_many_stays_as_are_kept_are_read_and_no_more() {
        let mut profile = Profile::default();
        for n in 0..200 {
            profile.see_second(1_700_000_000 + n * 90_000, 0, 7_200);
        }
        assert_eq!(profile.stays().len(), STAYS_MAX);
        let mut bytes = profile.encode();
        let back = Profile::decode(&bytes).expect("was encoded");
        assert!(back.stays().iter().eq(profile.stays().iter()) && back.stays().dropped());
        bytes[34] += 1;
        assert_eq!(Profile::decode(&bytes), Err(BadBytes::Stays(STAYS_MAX + 1)));
        bytes.truncate(35);
        bytes[34] = 0;
        assert_eq!(Profile::decode(&bytes), Ok(Profile::default()), "what was never seen has no days");
    }

    #[test]
    fn whether_stays_were_dropped_is_kept() {
        let mut profile = Profile::default();
        profile.see_second(1_700_000_000, 0, 7_200);
        let mut bytes = profile.encode();
        assert!(!Profile::decode(&bytes).expect("was encoded").stays().dropped());
        bytes[33] = 1;
        assert!(Profile::decode(&bytes).expect("was encoded").stays().dropped());
    }

    #[test]
    fn a_stay_comes_back_as_long_as_it_was() {
        let mut profile = Profile::default();
        for (hour, minute) in [(0, 0), (1, 30), (3, 0), (9, 15), (10, 45)] {
            profile.see_second(1_699_920_000 + hour * 3_600 + minute * 60, 0, 7_200);
        }
        let back = Profile::decode(&profile.encode()).expect("was encoded");
        let lasted: Vec<_> = back.stays().iter().map(|stay| stay.end - stay.start).collect();
        assert_eq!(lasted, [12, 6]);
    }
}
