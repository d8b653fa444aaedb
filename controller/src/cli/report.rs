//! `reveille report`

use clap::Args;
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{Exit, failure::Failure, session::Session};
use crate::report::{self, Scorecard};

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// RFC 3339, or a date in the zone of this machine [default: seven days before --to]
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Timestamp>,
    /// The same, left out itself [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Timestamp>,
}

/// A time, or the start of a local day.
fn time(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let date: Date =
        text.parse().map_err(|_| "is neither RFC 3339 nor a date such as 2026-03-01".to_owned())?;
    let start = date.to_zoned(TimeZone::system()).map_err(|e| e.to_string())?;
    Ok(start.timestamp())
}

pub(super) async fn run(session: &Session, args: &ReportArgs) -> Result<Exit, Failure> {
    let mut query = Vec::new();
    query.extend(args.from.map(|at| ("from", at.to_string())));
    query.extend(args.to.map(|at| ("to", at.to_string())));
    let answer = session.client.get(&["report"], &query).await?;
    // The stream takes the colours out again where they are not wanted.
    session.show(&answer, |card: &Scorecard, _| report::render(card, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_dates_are_taken() {
        assert_eq!(time("1970-01-01T00:00:10Z").map(Timestamp::as_second), Ok(10));
        assert!(time("1970-01-02").is_ok());
        assert!(time("yesterday").is_err());
    }
}
