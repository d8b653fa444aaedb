//! The instances the agent may wake: one by one, or many from a template.

use std::{collections::BTreeMap, path::Path};

use reveille_proto::InstanceId;
use serde::Deserialize;

use super::{
    ConfigError, Driver, Endpoint, Expect, HttpReadiness, ProcessDriver, Readiness, SecretText, Status,
    TcpReadiness,
};

/// Most instances one template may name.
const TEMPLATE_INSTANCES_MAX: u32 = 100_000;

/// One instance.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    pub id: InstanceId,
    #[serde(default)]
    pub cohort: String,
    pub driver: Driver,
    pub readiness: Readiness,
    /// Where its platform says how it is; asked before each call.
    #[serde(default)]
    pub status: Option<Status>,
}

/// Many instances that differ in their number: `{instance}`, `{number}` and `{port}` are replaced in every text.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceTemplate {
    pub ids: Ids,
    /// `{port}` of the first; each further one has the next.
    #[serde(default)]
    pub port_base: Option<u16>,
    #[serde(default)]
    pub cohort: String,
    pub driver: Driver,
    pub readiness: Readiness,
    /// Where its platform says how it is; asked before each call.
    #[serde(default)]
    pub status: Option<Status>,
}

/// `["dev1", "dev2"]` or `{ prefix = "dev", from = 1, to = 20 }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Ids {
    List(Vec<InstanceId>),
    Range(IdRange),
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdRange {
    pub prefix: String,
    pub from: u32,
    pub to: u32,
}

impl Ids {
    /// Each id with its number: that of its name, or its place in the list, from 1.
    fn numbered(&self, key: &str) -> Result<Vec<(InstanceId, u32)>, ConfigError> {
        match self {
            Self::List(ids) => Ok(ids.iter().cloned().zip(1..).collect()),
            Self::Range(IdRange { prefix, from, to }) => {
                if from > to || to - from >= TEMPLATE_INSTANCES_MAX {
                    return Err(ConfigError::key(
                        key,
                        format!("goes from {from} to {to}, at most {TEMPLATE_INSTANCES_MAX} are allowed"),
                    ));
                }
                (*from..=*to)
                    .map(|number| {
                        let id = InstanceId::new(format!("{prefix}{number}"));
                        id.map(|id| (id, number)).map_err(|e| ConfigError::key(key, e.to_string()))
                    })
                    .collect()
            }
        }
    }
}

impl Instance {
    /// With its placeholders replaced; `{wake_id}` is left for the call.
    pub(super) fn filled(&self) -> Self {
        Fill { instance: &self.id, number: None, port: None }.instance(
            &self.cohort,
            &self.driver,
            &self.readiness,
            self.status.as_ref(),
        )
    }
}

impl InstanceTemplate {
    /// The instances it stands for. `key` names the template in errors.
    pub(super) fn instances(&self, key: &str) -> Result<Vec<Instance>, ConfigError> {
        let ids = self.ids.numbered(&format!("{key}.ids"))?;
        ids.iter()
            .enumerate()
            .map(|(index, (id, number))| {
                let port = self.port_base.map(|base| usize::from(base) + index);
                let port = port.map(u16::try_from).transpose().map_err(|_| {
                    ConfigError::key(format!("{key}.port_base"), format!("leaves no port for {id}"))
                })?;
                let fill = Fill { instance: id, number: Some(*number), port };
                Ok(fill.instance(&self.cohort, &self.driver, &self.readiness, self.status.as_ref()))
            })
            .collect()
    }
}

struct Fill<'a> {
    instance: &'a InstanceId,
    number: Option<u32>,
    port: Option<u16>,
}

impl Fill<'_> {
    fn text(&self, text: &str) -> String {
        let mut text = text.replace("{instance}", self.instance.as_str());
        if let Some(number) = self.number {
            text = text.replace("{number}", &number.to_string());
        }
        if let Some(port) = self.port {
            text = text.replace("{port}", &port.to_string());
        }
        text
    }

    fn instance(
        &self,
        cohort: &str,
        driver: &Driver,
        readiness: &Readiness,
        status: Option<&Status>,
    ) -> Instance {
        let driver = match driver {
            Driver::Http(endpoint) => Driver::Http(self.endpoint(endpoint)),
            Driver::Process(process) => Driver::Process(self.process(process)),
        };
        Instance {
            id: self.instance.clone(),
            cohort: self.text(cohort),
            driver,
            readiness: self.readiness(readiness),
            status: status.map(|status| self.status(status)),
        }
    }

    fn status(&self, status: &Status) -> Status {
        Status { url: self.text(&status.url), headers: self.secrets(&status.headers), ..status.clone() }
    }

    fn endpoint(&self, endpoint: &Endpoint) -> Endpoint {
        Endpoint {
            url: self.text(&endpoint.url),
            headers: self.secrets(&endpoint.headers),
            expect: self.expect(&endpoint.expect),
            body: endpoint.body.as_deref().map(|body| self.text(body)),
            fallback: endpoint.fallback.as_deref().map(|fallback| Box::new(self.endpoint(fallback))),
            ..endpoint.clone()
        }
    }

    fn process(&self, process: &ProcessDriver) -> ProcessDriver {
        let path = |path: &Path| self.text(&path.to_string_lossy()).into();
        ProcessDriver {
            command: self.text(&process.command),
            args: process.args.iter().map(|arg| self.text(arg)).collect(),
            env: self.secrets(&process.env),
            working_dir: process.working_dir.as_deref().map(path),
            log_file: process.log_file.as_deref().map(path),
            stop_grace_s: process.stop_grace_s,
        }
    }

    fn secrets(&self, texts: &BTreeMap<String, SecretText>) -> BTreeMap<String, SecretText> {
        let filled =
            |(name, value): (&String, &SecretText)| (name.clone(), value.map_literal(|text| self.text(text)));
        texts.iter().map(filled).collect()
    }

    fn expect(&self, expect: &Expect) -> Expect {
        let body_contains = expect.body_contains.as_deref().map(|marker| self.text(marker));
        Expect { body_contains, ..expect.clone() }
    }

    fn readiness(&self, readiness: &Readiness) -> Readiness {
        match readiness {
            Readiness::Http(http) => Readiness::Http(HttpReadiness {
                url: self.text(&http.url),
                headers: self.secrets(&http.headers),
                expect: self.expect(&http.expect),
                ..http.clone()
            }),
            Readiness::Tcp(tcp) => {
                Readiness::Tcp(TcpReadiness { address: self.text(&tcp.address), ..tcp.clone() })
            }
        }
    }
}
