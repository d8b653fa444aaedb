//! Learns how far from UTC the instances are that nobody told the zone of, when the configuration asks for it.

use std::collections::BTreeMap;

use jiff::{
    SignedDuration, Timestamp,
    tz::{Offset, TimeZone},
};
use reveille_proto::InstanceId;
use tracing::info;

use super::{TaskError, learn::ZoneRules};
use crate::{
    config::Config,
    model::{ArrivalClock, OffsetPrior, PhaseRule, phase},
    store::{InstanceRow, Store},
};

/// Days looked back upon: few, because a clock change among them blurs what is learned.
const DAYS: i64 = 28;

/// The offset of each instance for which it is clear, as a zone; empty unless `model.learn_phase` is set.
///
/// The others are measured by those whose zone is known, or, where too few are, by all as if they lived in the
/// default zone.
pub(super) async fn learn_phases(
    store: &Store,
    config: &Config,
    instances: &[InstanceRow],
    now: Timestamp,
) -> Result<BTreeMap<InstanceId, TimeZone>, TaskError> {
    if !config.model.learn_phase {
        return Ok(BTreeMap::new());
    }
    let zones = ZoneRules::of(config)?;
    let known = instances.iter().filter_map(|row| Some((&row.instance, zones.known(row)?)));
    let known: BTreeMap<_, _> = known.collect();
    let from = now - SignedDuration::from_hours(24 * DAYS);
    let from_day = from.as_second().div_euclid(86_400) as i32;
    let (mut of_known, mut of_all) = (ArrivalClock::default(), ArrivalClock::default());
    let mut in_utc = Vec::new();
    store
        .activity_each(from_day, &mut |instance, activity| {
            let zone = known.get(&instance);
            let clock = ArrivalClock::of(&activity, zone.unwrap_or(&zones.default), from);
            of_all.add(&clock);
            if zone.is_some() {
                of_known.add(&clock);
            } else {
                in_utc.push((instance, ArrivalClock::of(&activity, &TimeZone::UTC, from)));
            }
        })
        .await?;
    let rule = PhaseRule::default();
    let template = if of_known.arrivals() < rule.template_arrivals_min { &of_all } else { &of_known };
    let offset_s = |zone: &TimeZone| zone.to_offset(now).seconds();
    let prior = OffsetPrior::of(known.values().chain([&zones.default]).map(offset_s));
    let asked = in_utc.len();
    let clear = in_utc.into_iter().filter_map(|(instance, clock)| {
        let found = phase(&clock, template, &prior, &rule).ok()?;
        Some((instance, TimeZone::fixed(Offset::from_seconds(found.offset_s).ok()?)))
    });
    let learned: BTreeMap<_, _> = clear.collect();
    info!(learned = learned.len(), asked, "offsets from UTC were learned");
    Ok(learned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        logs::{Batch, Counts, Position},
        model::HourProfile,
        tasks::learn_once,
        visits::{Sighting, SightingKind},
    };

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn now() -> Timestamp {
        "2026-06-15T12:00:00Z".parse().expect("a timestamp")
    }

    /// For 40 days somebody comes at `minute` of the UTC day, give or take a quarter of an hour.
    async fn seen(store: &Store, instance: &str, minute: i64) {
        let midnight = now() - SignedDuration::from_hours(12);
        let sighting = |day: i64| Sighting {
            instance: InstanceId::new(instance).expect("an id"),
            at: midnight - DAY * day as i32 + SignedDuration::from_mins(minute + (day % 3 - 1) * 15),
            kind: SightingKind::Visit,
        };
        let batch = Batch {
            sightings: (1..=40).map(sighting).collect(),
            counts: Counts::default(),
            samples: Vec::new(),
            source: format!("{instance}.log"),
            position: Position { fingerprint: "f".into(), offset: 1, line: 40 },
        };
        store.visits_absorb(&batch, SignedDuration::from_hours(2), now()).await.expect("kept");
    }

    #[tokio::test]
    async fn an_instance_without_a_zone_is_fitted_by_the_clock_its_user_keeps() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&dir.path().join("reveille.db")).await.expect("opens");
        for (name, zone, utc_hour) in
            [("b1", "Etc/UTC", 9), ("b2", "Etc/UTC", 9), ("t1", "Asia/Tokyo", 0), ("t2", "Asia/Tokyo", 0)]
        {
            for copy in ["x", "y", "z"] {
                let instance = format!("{name}{copy}");
                seen(&store, &instance, utc_hour * 60 + 15).await;
                let id = InstanceId::new(&instance).expect("an id");
                store.instance_describe(&id, "", zone).await.expect("described");
            }
        }
        seen(&store, "stranger", 15).await;
        seen(&store, "owl", 21 * 60 + 15).await;
        let mut config = Config::default();
        let zone_of = async |config: &Config, name: &str| {
            let learned = learn_once(&store, config, now()).await.expect("learns");
            let profiles = store.profiles_of(learned.version).await.expect("readable");
            let found = profiles.into_iter().find(|(instance, _)| instance.as_str() == name);
            let profile: HourProfile = found.expect("fitted").1;
            profile.zone().to_fixed_offset().map(Offset::seconds).ok()
        };
        assert_eq!(zone_of(&config, "stranger").await, Some(0), "unless asked for, the default");
        config.model.learn_phase = true;
        assert_eq!(zone_of(&config, "stranger").await, Some(9 * 3_600));
        assert_eq!(zone_of(&config, "owl").await, Some(0), "unclear: the default");
        assert_eq!(zone_of(&config, "t1x").await, None, "a named zone stays what it is");
    }
}
