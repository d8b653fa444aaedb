//! Faults of random strength, one of each kind that a simulation can play.

use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};

use super::Planned;
use crate::experiment::{
    catalogue::{
        Between, FaultKind,
        agent::{self, CrashLoop, CrashRestart, Flapping, FrozenLoad, Lie, LyingLoad, Twin},
        clock,
        controller::{self, ConfigChange, Crash, Overload},
        data::{self, Duplicate, Gap, Late, Poison, Poisoned},
        endpoint::{
            self, Body, Garbage, HalfOpen, HttpError, LateUp, LostResponse, NeverUp, Refused,
            Reset as CallReset, RetryAfter, SlowDrip, SlowWake, Throttled429,
        },
        host::{BootCost, CpuNoise, Loss as HostLoss, MemIo, Stress},
        link::{self, Bandwidth, Direction, Latency, Loss, OneWay, Partition, Reset, Ways},
        operator::{DoubleRun, FatFinger, KillSwitch, Slip},
        store::{self, Busy, Hang, Slow},
    },
    file::Length,
};

/// What a draw is about, where it is about one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    World,
    Host,
    /// A host, or the controller, which is named by naming none.
    Machine,
}

type Draw = (About, fn(&mut StdRng) -> FaultKind);

const DRAWS: &[&[Draw]] = &[ENDPOINTS, HOSTS, NODES, LINKS, PEOPLE, STORES, FEEDS, STILL, CLOCKS, WORDS];

const ENDPOINTS: &[Draw] = &[
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
    (About::World, |rng| FaultKind::EndpointLateUp(LateUp { after_deadline: seconds(rng, 1, 900) })),
    (About::World, |rng| {
        let body = pick(rng, &[Body::LoginPage, Body::TruncatedJson, Body::WrongShape, Body::Huge]);
        FaultKind::EndpointGarbage(Garbage { share: share(rng), body, body_bytes: 200_000 })
    }),
    (About::World, |rng| {
        FaultKind::EndpointSlowDrip(SlowDrip { share: share(rng), rate_bytes_per_s: rng.random_range(1..20) })
    }),
];

const HOSTS: &[Draw] = &[
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
    (About::Host, |rng| FaultKind::AgentFrozenLoad(FrozenLoad { old_time: rng.random() })),
    (About::Host, |rng| FaultKind::HostBootCost(BootCost { factor: rng.random_range(1.5..5.0) })),
    (About::Host, |rng| {
        let (boot_factor, pressure) = (rng.random_range(1.5..6.0), rng.random_range(0.0..1.0));
        FaultKind::HostMemIo(MemIo { boot_factor, pressure })
    }),
    (About::Host, |_| FaultKind::HostLoss(HostLoss { comes_back_empty: true })),
];

const NODES: &[Draw] = &[
    (About::Host, |rng| {
        let (up, down) = (lives(rng), lives(rng));
        FaultKind::AgentCrashLoop(CrashLoop { up, down })
    }),
    (About::Host, |rng| FaultKind::AgentFlapping(Flapping { every: seconds(rng, 1, 30) })),
    (About::Host, |_| FaultKind::AgentTwin(Twin {})),
    (About::World, |rng| {
        let (up, down) = (lives(rng), lives(rng));
        FaultKind::ControllerCrashLoop(controller::CrashLoop { up, down })
    }),
    (About::Host, |rng| FaultKind::AgentCrashRestart(CrashRestart { down: down(rng) })),
    (About::World, |rng| FaultKind::ControllerCrash(Crash { down: down(rng), ..Crash::default() })),
];

const LINKS: &[Draw] = &[
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
    (About::Host, |rng| FaultKind::LinkReset(Reset { after: seconds(rng, 5, 600) })),
    (About::Host, |_| FaultKind::LinkHalfOpen(link::HalfOpen {})),
    (About::Host, |_| FaultKind::LinkStaleCommand(link::StaleCommand {})),
    (About::Host, |rng| {
        let ways = pick(rng, &[Ways::ToAgent, Ways::ToController, Ways::Both]);
        FaultKind::LinkDuplicate(link::Duplicate { share: share(rng), ways })
    }),
    (About::Host, |rng| {
        let ways = pick(rng, &[Ways::ToAgent, Ways::ToController, Ways::Both]);
        FaultKind::LinkReorder(link::Reorder { share: share(rng), hold: seconds(rng, 1, 20), ways })
    }),
    (About::Host, |rng| {
        let rate_bytes_per_s = rng.random_range(200..20_000);
        FaultKind::LinkBandwidth(Bandwidth { rate_bytes_per_s, ..Bandwidth::default() })
    }),
    (About::Host, |rng| FaultKind::LinkLoss(Loss { share: rng.random_range(0.005..0.4) })),
];

const PEOPLE: &[Draw] = &[
    (About::World, |rng| {
        let (factor, within) = (rng.random_range(2.0..10.0), seconds(rng, 1, 300));
        FaultKind::ControllerOverload(Overload { factor, within })
    }),
    (About::World, |rng| {
        let (per_host_limit, cpu_limit) = (rng.random_range(1..6), rng.random_range(0.3..0.8));
        FaultKind::ControllerConfigChange(ConfigChange { per_host_limit, cpu_limit })
    }),
    (About::World, |_| FaultKind::OperatorKillSwitch(KillSwitch { unreachable: false })),
    (About::World, |rng| {
        FaultKind::OperatorFatFinger(FatFinger { what: pick(rng, &[Slip::Cpu700, Slip::Limit400]) })
    }),
    (About::World, |_| FaultKind::OperatorDoubleRun(DoubleRun::default())),
];

const STORES: &[Draw] = &[
    (About::World, |_| FaultKind::StoreHang(Hang {})),
    (About::World, |rng| FaultKind::StoreSlow(Slow { delay: Length::ms(rng.random_range(10..5_000)) })),
    (About::World, |rng| {
        let (held, every) = (seconds(rng, 1, 20), seconds(rng, 20, 120));
        FaultKind::StoreBusy(Busy { held, every })
    }),
];

const FEEDS: &[Draw] = &[
    (About::World, |rng| FaultKind::DataGap(Gap { missing: Length::h(rng.random_range(1..168)) })),
    (About::World, |rng| FaultKind::DataDuplicate(Duplicate { share: share(rng) })),
    (About::World, |rng| {
        FaultKind::DataLate(Late { share: share(rng), by: seconds(rng, 10, 3_600), skew: Length::ZERO })
    }),
    (About::World, |rng| {
        // A line of a megabyte is for those who ask for it.
        let what = pick(rng, &[Poisoned::Bot, Poisoned::UptimeMonitor, Poisoned::InvalidUtf8]);
        FaultKind::DataPoison(Poison { what, share: rng.random_range(0.05..0.5) })
    }),
];

/// Who stands still, and whose database turns away or says nothing.
const STILL: &[Draw] = &[
    (About::Host, |_| FaultKind::AgentPause(agent::Pause {})),
    (About::World, |_| FaultKind::ControllerPause(controller::Pause {})),
    (About::World, |_| FaultKind::StoreRefuse(store::Refuse {})),
    (About::World, |rng| {
        FaultKind::StoreCommitUnknown(store::CommitUnknown { share: rng.random_range(0.02..0.5) })
    }),
];

const CLOCKS: &[Draw] = &[
    (About::Machine, |rng| {
        FaultKind::ClockJump(clock::Jump { by: seconds(rng, 1, 7_200), towards: towards(rng) })
    }),
    (About::Machine, |rng| {
        let (drift_ppm, skew) = (rng.random_range(1..10_000), seconds(rng, 0, 600));
        FaultKind::ClockDrift(clock::Drift { drift_ppm, skew, towards: towards(rng) })
    }),
];

const WORDS: &[Draw] = &[
    (About::World, |rng| {
        let status = pick(rng, &[endpoint::Refusal::Unauthorized, endpoint::Refusal::Forbidden]);
        let rotates = rng.random();
        let expired = endpoint::AuthExpired { status, rotates, ..endpoint::AuthExpired::default() };
        FaultKind::EndpointAuthExpired(expired)
    }),
    (About::World, |rng| {
        let portal_says = pick(rng, &[endpoint::Says::Awake, endpoint::Says::Asleep]);
        FaultKind::EndpointDisagreement(endpoint::Disagreement { portal_says })
    }),
    (About::World, |rng| {
        let what = pick(rng, &[data::Shift::OtherHours, data::Shift::HolidayWeek]);
        FaultKind::DataRegimeShift(data::RegimeShift { what, share: share(rng) })
    }),
];

fn towards(rng: &mut StdRng) -> clock::Towards {
    pick(rng, &[clock::Towards::Forward, clock::Towards::Back])
}

/// How many kinds may be drawn.
#[cfg(test)]
pub(super) fn kinds() -> usize {
    DRAWS.iter().map(|layer| layer.len()).sum()
}

/// Each kind with this probability, at a random time of the given seconds, in a world of `count` hosts.
pub(super) fn draw(
    rng: &mut StdRng,
    is_in: f64,
    count: usize,
    when: impl Fn(&mut StdRng) -> (u32, u32),
) -> Vec<Planned> {
    let mut drawn = Vec::new();
    for (about, what) in DRAWS.iter().copied().flatten().copied() {
        if !rng.random_bool(is_in) {
            continue;
        }
        let what = what(rng);
        let hosts = match about {
            About::World => Vec::new(),
            About::Host => vec![rng.random_range(0..count)],
            About::Machine => vec![rng.random_range(0..=count)],
        };
        let hosts = hosts.into_iter().filter(|host| *host < count).collect();
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

/// From some seconds to fewer than others.
fn seconds(rng: &mut StdRng, from: u64, to: u64) -> Length {
    Length::s(rng.random_range(from..to))
}

/// How long something lives, or is away, each time.
fn lives(rng: &mut StdRng) -> Between {
    let low = rng.random_range(1..30);
    Between(Length::s(low), Length::s(low + rng.random_range(0..60)))
}

fn pick<T: Copy>(rng: &mut StdRng, of: &[T]) -> T {
    of[rng.random_range(0..of.len())]
}
