//! What a request means: a wake request, a log-in, any visit, or nothing because it is not a person's.

use std::net::IpAddr;

use indexmap::IndexMap;
use ipnet::IpNet;
use regex::bytes::{Regex, RegexBuilder};

use super::{config::LogsConfig, counts::Ignored, error::LogsError, record::AccessRecord};
use crate::visits::SightingKind;

/// Different user agents whose judgement is remembered.
const AGENTS_REMEMBERED_MAX: usize = 4096;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Sighting(SightingKind),
    Ignored(Ignored),
}

/// Judgements on user agents already seen: there are few and they are long.
#[derive(Debug, Default)]
pub(super) struct AgentsSeen(IndexMap<Box<[u8]>, bool>);

/// The compiled patterns. An empty list is `None` and matches nothing.
#[derive(Debug, Clone)]
pub(super) struct Patterns {
    wake_request: Option<Regex>,
    login: Option<Regex>,
    ignore_agents: Option<Regex>,
    ignore_paths: Option<Regex>,
    ignore_clients: Vec<IpNet>,
}

impl Patterns {
    pub(super) fn new(config: &LogsConfig) -> Result<Self, LogsError> {
        Ok(Self {
            wake_request: any_of(&config.wake_request, "logs.wake_request", false)?,
            login: any_of(&config.login, "logs.login", false)?,
            ignore_agents: any_of(&config.ignore_agents, "logs.ignore_agents", true)?,
            ignore_paths: any_of(&config.ignore_paths, "logs.ignore_paths", false)?,
            ignore_clients: networks(&config.ignore_clients)?,
        })
    }

    /// Bots and monitors are judged first: they must neither wake nor count.
    pub(super) fn meaning(&self, record: &AccessRecord<'_>, seen: &mut AgentsSeen) -> Meaning {
        let matches =
            |pattern: &Option<Regex>, text: &[u8]| pattern.as_ref().is_some_and(|p| p.is_match(text));
        if record.agent.is_some_and(|agent| self.ignores_agent(agent, seen)) {
            Meaning::Ignored(Ignored::Agent)
        } else if self.ignores_client(record.client) {
            Meaning::Ignored(Ignored::Client)
        } else if matches(&self.ignore_paths, record.path_and_query()) {
            Meaning::Ignored(Ignored::Path)
        } else if matches(&self.wake_request, record.request) {
            Meaning::Sighting(SightingKind::WakeRequest)
        } else if matches(&self.login, record.request) {
            Meaning::Sighting(SightingKind::Login)
        } else {
            Meaning::Sighting(SightingKind::Visit)
        }
    }

    fn ignores_agent(&self, agent: &[u8], seen: &mut AgentsSeen) -> bool {
        let Some(pattern) = &self.ignore_agents else { return false };
        if let Some(known) = seen.0.get(agent) {
            return *known;
        }
        let ignored = pattern.is_match(agent);
        if seen.0.len() < AGENTS_REMEMBERED_MAX {
            seen.0.insert(agent.into(), ignored);
        }
        ignored
    }

    fn ignores_client(&self, client: &[u8]) -> bool {
        if self.ignore_clients.is_empty() {
            return false;
        }
        let address = str::from_utf8(client).ok().and_then(|text| text.parse::<IpAddr>().ok());
        address.is_some_and(|address| {
            self.ignore_clients.iter().any(|net| net.contains(&address.to_canonical()))
        })
    }
}

/// One pattern; `key` names its setting in errors. Bytes and ASCII classes, since a log holds any bytes.
pub(super) fn compile(text: &str, key: &str) -> Result<Regex, LogsError> {
    build(text, false).map_err(|source| LogsError::Pattern {
        key: key.to_owned(),
        text: text.to_owned(),
        source: Box::new(source),
    })
}

fn build(text: &str, case_insensitive: bool) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text).unicode(false).case_insensitive(case_insensitive).build()
}

/// All patterns as one alternation; each is compiled alone first, so that an error names it.
fn any_of(list: &[String], key: &str, case_insensitive: bool) -> Result<Option<Regex>, LogsError> {
    for (n, text) in list.iter().enumerate() {
        compile(text, &format!("{key}[{n}]"))?;
    }
    if list.is_empty() {
        return Ok(None);
    }
    let either = list.iter().map(|text| format!("(?:{text})")).collect::<Vec<_>>().join("|");
    let whole = build(&either, case_insensitive);
    whole.map(Some).map_err(|source| LogsError::Pattern {
        key: key.to_owned(),
        text: format!("all {} together", list.len()),
        source: Box::new(source),
    })
}

fn networks(list: &[String]) -> Result<Vec<IpNet>, LogsError> {
    let network = |(n, text): (usize, &String)| {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        address.or_else(|_| text.parse::<IpNet>()).map_err(|source| LogsError::Network {
            key: format!("logs.ignore_clients[{n}]"),
            text: text.clone(),
            source,
        })
    };
    list.iter().enumerate().map(network).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn record<'a>(request: &'a str, agent: &'a str, client: &'a str) -> AccessRecord<'a> {
        let (method, target) = request.split_once(' ').expect("a request");
        AccessRecord {
            at: Timestamp::UNIX_EPOCH,
            client: client.as_bytes(),
            vhost: None,
            request: request.as_bytes(),
            method: method.as_bytes(),
            target: target.as_bytes(),
            status: 200,
            agent: Some(agent.as_bytes()),
        }
    }

    fn meaning(config: &LogsConfig, record: &AccessRecord<'_>) -> Meaning {
        let patterns = Patterns::new(config).expect("good patterns");
        let mut seen = AgentsSeen::default();
        let first = patterns.meaning(record, &mut seen);
        assert_eq!(patterns.meaning(record, &mut seen), first, "a remembered agent is judged alike");
        first
    }

    #[test]
    fn the_defaults_know_wakes_logins_and_bots() {
        use Meaning::{Ignored as Not, Sighting};
        let config = LogsConfig::default();
        for (request, agent, expected) in [
            ("GET /wake_my_instance.do?magic=1", "Mozilla/5.0", Sighting(SightingKind::WakeRequest)),
            ("POST /wake", "Mozilla/5.0", Sighting(SightingKind::WakeRequest)),
            ("GET /wakeful", "Mozilla/5.0", Sighting(SightingKind::Visit)),
            ("POST /login.do", "Mozilla/5.0", Sighting(SightingKind::Login)),
            ("POST /auth/login?next=/", "Mozilla/5.0", Sighting(SightingKind::Login)),
            ("GET /login.do", "curl/8.5.0", Sighting(SightingKind::Visit)),
            (
                "GET /wake_my_instance.do?magic=1",
                "Mozilla/5.0 (compatible; GoogleBot/2.1)",
                Not(Ignored::Agent),
            ),
            ("GET /", "kube-probe/1.31", Not(Ignored::Agent)),
            ("GET /healthz", "Mozilla/5.0", Not(Ignored::Path)),
        ] {
            assert_eq!(meaning(&config, &record(request, agent, "192.0.2.1")), expected, "{request} {agent}");
        }
    }

    #[test]
    fn clients_are_ignored_by_address_and_network() {
        let ignore_clients = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"].map(str::to_owned).to_vec();
        let config = LogsConfig { ignore_clients, ..LogsConfig::default() };
        for (client, ignored) in [
            ("10.1.2.3", true),
            ("11.1.2.3", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("2001:db8::9", true),
            ("::ffff:10.1.2.3", true),
            ("not an address", false),
        ] {
            let got = meaning(&config, &record("GET /", "x", client)) == Meaning::Ignored(Ignored::Client);
            assert_eq!(got, ignored, "{client}");
        }
    }

    #[test]
    fn empty_lists_match_nothing() {
        let none = Vec::new;
        let config = LogsConfig {
            ignore_agents: none(),
            ignore_paths: none(),
            wake_request: none(),
            login: none(),
            ..LogsConfig::default()
        };
        let got = meaning(&config, &record("POST /wake", "kube-probe", "192.0.2.1"));
        assert_eq!(got, Meaning::Sighting(SightingKind::Visit));
    }

    #[test]
    fn a_bad_pattern_is_named_by_its_place() {
        let config = LogsConfig { login: vec!["ok".into(), "(".into()], ..LogsConfig::default() };
        let error = Patterns::new(&config).unwrap_err().to_string();
        assert!(error.contains("logs.login[1]") && error.contains("\"(\""), "{error}");
        let config = LogsConfig { ignore_clients: vec!["10.0.0.0/33".into()], ..LogsConfig::default() };
        let error = Patterns::new(&config).unwrap_err().to_string();
        assert!(error.contains("logs.ignore_clients[0]"), "{error}");
    }
}
