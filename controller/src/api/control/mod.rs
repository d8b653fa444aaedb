//! The one place that answers questions; HTTP and gRPC both call it.

mod base;

mod ask;

mod wakes;

mod fleet;

mod controllers;

mod forecasts;

mod likely;

mod explain;

mod fitted;

mod plans;

mod policy;

mod learned;

mod notifications;

mod report;

mod trial;

pub use ask::WakeAsked;
pub use base::Control;

pub use forecasts::ForecastQuery;
pub use likely::{LOOKED_AT_MAX, Likely};
pub use notifications::NotificationsQuery;
pub use wakes::WakesQuery;
