//! Faults of random strength, one of each kind that a simulation can play.

use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};

use super::Planned;
use crate::experiment::{
    catalogue::{
        Between, FaultKind,
        agent::{CrashRestart, Lie, LyingLoad},
        controller::Crash,
        endpoint::{
            HalfOpen, HttpError, LostResponse, NeverUp, Refused, Reset as CallReset, RetryAfter, SlowWake,
            Throttled429,
        },
        host::{CpuNoise, Stress},
        link::{Direction, Latency, OneWay, Partition, Reset},
    },
    file::Length,
};

/// What a draw is about, where it is about one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    World,
    Host,
}

type Draw = (About, fn(&mut StdRng) -> FaultKind);

const DRAWS: [Draw; 17] = [
    (About::World, |rng| {
        let status = *[500, 502, 503].choose(rng).expect("it is not empty");
        FaultKind::EndpointHttpError(HttpError { share: share(rng), status, ..HttpError::default() })
    }),
    (About::World, |rng| {
        let retry_after =
            *[RetryAfter::Seconds, RetryAfter::Malformed, RetryAfter::Absurd, RetryAfter::Missing]
                .choose(rng)
                .expect("it is not empty");
        let retry_after_s = rng.random_range(1..120);
        let fault = Throttled429 { share: share(rng), retry_after, retry_after_s, ..Throttled429::default() };
        FaultKind::EndpointThrottled429(fault)
    }),
    (About::World, |rng| FaultKind::EndpointRefused(Refused { share: share(rng) })),
    (About::World, |rng| FaultKind::EndpointReset(CallReset { share: share(rng) })),
    (About::World, |rng| {
        FaultKind::EndpointLostResponse(LostResponse { share: share(rng), ..LostResponse::default() })
    }),
    (About::World, |rng| FaultKind::EndpointHalfOpen(HalfOpen { share: share(rng) })),
    (About::World, |rng| FaultKind::EndpointNeverUp(NeverUp { share: share(rng), ..NeverUp::default() })),
    (About::World, |rng| {
        FaultKind::EndpointSlowWake(SlowWake { factor: rng.random_range(1.5..6.0), ..SlowWake::default() })
    }),
    (About::Host, |rng| {
        let says = *[Lie::Constant, Lie::Constant, Lie::Nan, Lie::Negative, Lie::Absurd]
            .choose(rng)
            .expect("it is not empty");
        let cpu = *[0.0, 0.01, 0.1, 0.99, 1.0].choose(rng).expect("it is not empty");
        FaultKind::AgentLyingLoad(LyingLoad { says, cpu })
    }),
    (About::Host, |rng| {
        let (low, period) = (rng.random_range(0.0..0.3), Length::s(rng.random_range(60..1_200)));
        FaultKind::HostCpuNoise(CpuNoise { low, high: low + rng.random_range(0.1..0.6), period })
    }),
    (About::Host, |rng| FaultKind::HostStress(Stress { cpu: rng.random_range(0.1..0.6) })),
    (About::Host, |rng| FaultKind::AgentCrashRestart(CrashRestart { down: down(rng) })),
    (About::World, |rng| FaultKind::ControllerCrash(Crash { down: down(rng), ..Crash::default() })),
    (About::Host, |_| FaultKind::LinkPartition(Partition {})),
    (About::Host, |rng| {
        let direction = if rng.random() { Direction::ToAgent } else { Direction::ToController };
        FaultKind::LinkOneWay(OneWay { direction })
    }),
    (About::Host, |rng| {
        let mean_ms = rng.random_range(20..2_000);
        let jitter = Length::ms(rng.random_range(0..=mean_ms));
        FaultKind::LinkLatency(Latency { mean: Length::ms(mean_ms), jitter, ..Latency::default() })
    }),
    (About::Host, |rng| FaultKind::LinkReset(Reset { after: Length::s(rng.random_range(5..600)) })),
];

/// How many kinds may be drawn.
#[cfg(test)]
pub(super) const KINDS: usize = DRAWS.len();

/// Each kind with this probability, at a random time of the given seconds.
pub(super) fn draw(
    rng: &mut StdRng,
    is_in: f64,
    hosts: usize,
    when: impl Fn(&mut StdRng) -> (u32, u32),
) -> Vec<Planned> {
    let mut drawn = Vec::new();
    for (about, what) in DRAWS {
        if !rng.random_bool(is_in) {
            continue;
        }
        let what = what(rng);
        let hosts = if about == About::Host { vec![rng.random_range(0..hosts)] } else { Vec::new() };
        let (at_s, for_s) = when(rng);
        drawn.push(Planned { at_s, for_s, hosts, instances: Vec::new(), what });
    }
    drawn.sort_by_key(|planned| (planned.at_s, planned.kind()));
    drawn
}

fn share(rng: &mut StdRng) -> f64 {
    rng.random_range(0.05..1.0)
}

/// Up to an hour, in which it is mostly short.
fn down(rng: &mut StdRng) -> Between {
    let down = Length::s(rng.random_range(1..1_800));
    Between(down, down)
}
