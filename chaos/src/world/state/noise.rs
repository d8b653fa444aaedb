//! What else uses a host's CPU while a fault has it so.

use std::f64::consts::TAU;

use crate::{
    experiment::catalogue::{FaultKind, host},
    fault::Faults,
};

/// Share of the host's cores, 0-1.
pub(super) fn noise_share(faults: &mut Faults, host: usize, now_s: i64) -> f64 {
    // As in all the days before, second by second.
    if faults.is_empty() {
        return 0.0;
    }
    let mut sum = 0.0;
    for kind in [host::CpuNoise::INFO.name, host::Stress::INFO.name] {
        for (what, since_s) in faults.on_host(kind, host) {
            sum += match what {
                FaultKind::HostCpuNoise(noise) => wave(noise, now_s - since_s),
                FaultKind::HostStress(stress) => stress.cpu,
                _ => 0.0,
            };
        }
    }
    sum.min(1.0)
}

/// From the lowest to the highest and back within a period.
fn wave(noise: &host::CpuNoise, since_s: i64) -> f64 {
    let turns = since_s as f64 / noise.period.as_secs_f64();
    noise.low + (noise.high - noise.low) * (1.0 - (TAU * turns).cos()) / 2.0
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;
    use crate::{
        experiment::file::Length,
        fault::{Bite, Span, Whom},
    };

    #[test]
    fn noise_comes_in_waves_on_its_host_and_adds_to_what_is_there() {
        let noise = host::CpuNoise { low: 0.2, high: 0.6, period: Length::s(100) };
        let mut faults = Faults::default();
        let put = |faults: &mut Faults, number, what| {
            let rng = StdRng::seed_from_u64(1);
            let only = Whom::Only([1].into());
            faults.put(number, Bite::new(Span::new(0, 1_000), what, rng).of(only, Whom::Everybody));
            faults.follow(0);
        };
        put(&mut faults, 0, FaultKind::HostCpuNoise(noise));
        let at = |faults: &mut Faults, s| (noise_share(faults, 1, s) * 1000.0).round() / 1000.0;
        for (s, share) in [(0, 0.2), (25, 0.4), (50, 0.6), (100, 0.2)] {
            assert!((at(&mut faults, s) - share).abs() < 1e-9, "{s}");
        }
        put(&mut faults, 1, FaultKind::HostStress(host::Stress { cpu: 0.3 }));
        assert!((at(&mut faults, 50) - 0.9).abs() < 1e-9 && noise_share(&mut faults, 0, 50) < 1e-9);
        put(&mut faults, 2, FaultKind::HostStress(host::Stress { cpu: 0.9 }));
        assert!((at(&mut faults, 50) - 1.0).abs() < 1e-9, "no more than there is");
    }
}
