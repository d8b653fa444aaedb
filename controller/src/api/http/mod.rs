//! HTTP: `/v1` for people and programs, problem+json for every refusal, OpenAPI, probes and metrics.

mod listener;

mod router;

mod problem;

mod extract;

mod guard;

mod wakes;

mod forecasts;

mod fleet;

mod plans;

mod policy;

mod learned;

mod notifications;

mod report;

mod probes;

mod scrape;

pub use problem::Problem;
pub use router::{http_router, openapi};
