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
