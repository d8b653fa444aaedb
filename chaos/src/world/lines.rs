//! Access log lines as a BIG-IP request log writes them, and the noise a real log has.

use std::fmt::Write as _;

use jiff::{Timestamp, tz::TimeZone};
use rand::{RngExt, rngs::StdRng};

/// The request logging template these lines follow.
pub const TEMPLATE: &str = r#"$CLIENT_IP - - $DATE_NCSA "$HTTP_METHOD $HTTP_URI $HTTP_VERSION" $HTTP_STATCODE $RESPONSE_SIZE "$Host" "${User-agent}""#;
/// What follows the instance in the host name.
pub const VHOST_SUFFIX: &str = ".dev.example.com";
/// The path that marks a request to be woken.
pub const WAKE_REQUEST_PATH: &str = "/hibernation/wake_request";

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const BOT: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
const MONITOR: &str = "Uptime-Kuma/1.23.16";
const PATHS: [&str; 5] =
    ["/", "/login.do", "/nav_to.do?uri=home", "/api/now/table/task?limit=20", "/amb/connect"];

/// Lines not yet written to the file.
#[derive(Debug)]
pub struct Lines {
    text: String,
    written: u64,
    zone: TimeZone,
    rng: StdRng,
}

impl Lines {
    pub fn new(zone: TimeZone, rng: StdRng) -> Self {
        Self { text: String::new(), written: 0, zone, rng }
    }

    /// Takes the lines written since the last time.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// Lines written so far, taken or not.
    pub fn count(&self) -> u64 {
        self.written
    }

    /// Something a user does on a serving instance.
    pub fn visit(&mut self, at_s: i64, user: usize, instance: &str) {
        let path = PATHS[self.rng.random_range(0..PATHS.len())];
        self.line(at_s, user, &format!("GET {path}"), 200, instance, BROWSER);
    }

    /// A user finds the instance not serving and presses "wake my instance".
    pub fn wake_request(&mut self, at_s: i64, user: usize, instance: &str) {
        self.line(at_s, user, &format!("POST {WAKE_REQUEST_PATH}"), 202, instance, BROWSER);
    }

    /// What nobody did: a bot, a monitor, a line cut short, a line that is none.
    pub fn noise(&mut self, at_s: i64, instance: &str) {
        match self.rng.random_range(0..50) {
            0..=23 => self.line(at_s, 9_000, "GET /robots.txt", 503, instance, BOT),
            24..=47 => self.line(at_s, 9_001, "GET /health", 200, instance, "kube-probe/1.34"),
            48 => self.push("10.9.9.9 - - [notadate] \"GET / HTTP/1.1\" 200"),
            _ => self.push("\u{fffd}\u{fffd} connection reset by peer"),
        }
    }

    /// A bot that visits whatever there is.
    pub fn bot(&mut self, at_s: i64, instance: &str) {
        let path = PATHS[self.rng.random_range(0..PATHS.len())];
        self.line(at_s, 9_000, &format!("GET {path}"), 200, instance, BOT);
    }

    /// A monitor that looks whether an instance is up.
    pub fn monitor(&mut self, at_s: i64, instance: &str) {
        self.line(at_s, 9_002, "HEAD /", 200, instance, MONITOR);
    }

    fn line(&mut self, at_s: i64, user: usize, request: &str, status: u16, instance: &str, agent: &str) {
        let at = Timestamp::from_second(at_s).unwrap_or(Timestamp::MAX).to_zoned(self.zone.clone());
        let size = self.rng.random_range(200..40_000);
        let (high, low) = (user / 250, user % 250 + 1);
        let when = at.strftime("%d/%b/%Y:%H:%M:%S %z");
        let text = format!(
            "10.1.{high}.{low} - - [{when}] \"{request} HTTP/1.1\" {status} {size} \"{instance}{VHOST_SUFFIX}\" \"{agent}\""
        );
        self.push(&text);
    }

    fn push(&mut self, line: &str) {
        self.written += 1;
        writeln!(self.text, "{line}").expect("writing to a string cannot fail");
    }
}

#[cfg(test)]
mod tests {
    use super::{super::chance::stream, *};

    fn lines() -> Lines {
        let zone = TimeZone::get("Europe/Zurich").expect("in the bundled database");
        Lines::new(zone, stream(1, 1))
    }

    #[test]
    fn a_wake_request_is_a_line_of_the_template() {
        let mut lines = lines();
        lines.wake_request(1_772_434_800, 3, "dev04");
        let text = lines.take();
        let (head, tail) = text.split_once("HTTP/1.1\" 202 ").expect("method and status");
        assert_eq!(head, "10.1.0.4 - - [02/Mar/2026:08:00:00 +0100] \"POST /hibernation/wake_request ");
        assert!(tail.contains(" \"dev04.dev.example.com\" \"Mozilla/5.0"), "{tail}");
        assert!(lines.take().is_empty() && lines.count() == 1);
    }

    #[test]
    fn noise_is_of_every_kind() {
        let mut lines = lines();
        (0..500).for_each(|_| lines.noise(1_772_434_800, "dev01"));
        let text = lines.take();
        for kind in ["Googlebot", "kube-probe", "notadate", "connection reset"] {
            assert!(text.contains(kind), "no {kind}");
        }
    }
}
