//! What one instance needs, before cap and draw. It only borrows: in a busy hour most are given up again.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use reveille_proto::{HostId, InstanceId};

use super::{HeldOutWake, Omission, OmissionReason, PlannedWake};
use crate::model::{Forecast, Scored};

/// A wake in the making; its times are those of [`PlannedWake`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice<'a> {
    pub instance: &'a InstanceId,
    pub cohort: &'a str,
    pub host: &'a HostId,
    pub zone: &'a TimeZone,
    /// It may not start before.
    pub earliest: Timestamp,
    pub due_at: Timestamp,
    pub serve_at: Timestamp,
    pub hour_at: Timestamp,
    pub expires_at: Timestamp,
    pub grounds: Grounds,
}

/// What it was chosen for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Grounds {
    Hours(Forecast),
    /// `lead_time` is what its user would have to wait, `hold` how long the wake stays up for them.
    Score {
        scored: Scored,
        lead_time: SignedDuration,
        hold: SignedDuration,
    },
}

impl Grounds {
    fn probability(&self) -> f64 {
        match self {
            Self::Hours(forecast) => forecast.probability,
            Self::Score { scored, .. } => scored.probability,
        }
    }
}

impl Choice<'_> {
    pub(super) fn probability(&self) -> f64 {
        self.grounds.probability()
    }

    /// The wake that is made of it.
    pub(super) fn wake(&self) -> PlannedWake {
        let (idle_h, saved_s, why) = match &self.grounds {
            Grounds::Hours(forecast) => (None, None, forecast.why.to_string()),
            Grounds::Score { scored, lead_time, hold } => {
                let saved_s = scored.probability * lead_time.as_secs_f64();
                let why = format!(
                    "{:.0} % within {} min, worth {:.1} min of waiting for {:.1} idle h",
                    scored.probability * 100.0,
                    hold.as_mins(),
                    saved_s / 60.0,
                    scored.idle_h,
                );
                (Some(scored.idle_h), Some(saved_s), why)
            }
        };
        PlannedWake {
            instance: self.instance.clone(),
            host: self.host.clone(),
            due_at: self.due_at,
            serve_at: self.serve_at,
            hour_at: self.hour_at,
            expires_at: self.expires_at,
            probability: self.probability(),
            idle_h,
            saved_s,
            why,
        }
    }

    /// The wake that is not made of it.
    pub(super) fn held_out(&self) -> Omission {
        let reason = OmissionReason::HeldOut(Box::new(HeldOutWake {
            hour_at: self.hour_at,
            due_at: self.due_at,
            serve_at: self.serve_at,
            probability: self.probability(),
        }));
        Omission { instance: self.instance.clone(), reason }
    }
}
