//! What was learned of instances: the rule, the local calendar, profiles, forecasts from them, lead times.

pub mod rule;

pub mod calendar;

pub mod days;

pub mod turnout;

pub mod week;

pub mod detect;

pub mod phase;

pub mod covisit;

pub mod hours;

pub mod bytes;

pub mod forecast;

pub mod lead;

pub mod meta;

pub mod stays;

pub mod moment;

pub mod profile;

pub mod decay;

pub mod population;

mod logarithm;

mod wide;

pub mod scene;

mod places;

mod sums;

pub mod features;

pub mod head;

pub mod network;

pub mod screen;

pub mod fitted;

pub mod scorer;

pub mod packed;

pub mod profiles;

pub mod crowd;
pub mod relive;

pub mod words;

pub mod explain;

pub mod coming;

pub mod fit;

pub mod cut;

pub mod validate;

pub use bytes::BadProfile;
pub use covisit::{Association, CovisitRule, Covisits, Triggered};
pub use crowd::{Crowd, Crowds};
pub use cut::Cut;
pub use days::{CohortDays, DayCalendar, DayKind};
pub use detect::{DayFinding, DayFlag, DetectRule, Detection, detect};
pub use fitted::Fitted;
pub use forecast::{Abstain, Forecast, Why, forecast, forecast_span};
pub use hours::HourProfile;
pub use lead::{LEAD_TIME_DEFAULT_S, LeadTimes};
pub use meta::{Metrics, ModelKind, Origin, Rejection, validate, validate_weights};
pub use moment::Moment;
pub use phase::{ArrivalClock, OffsetPrior, Phase, PhaseRule, Unclear, phase};
pub use profile::Profile;
pub use profiles::Profiles;
pub use rule::{Rule, Split};
pub use scorer::{AbstainRule, Scored, Scorer};
pub use turnout::Turnout;
pub use validate::Quality;
pub use week::WeekFactors;
pub use words::{Habit, habit};
