//! From file and environment to a checked configuration.

use std::{collections::BTreeSet, path::Path};

use figment::{
    Figment, Provider,
    providers::{Env, Serialized},
};

use super::{
    Addresses, Config, ConfigError, Controller, Driver, Endpoint, HttpReadiness, Instance, Readiness, Status,
    TcpReadiness, is_tls,
};

const ENV_PREFIX: &str = "REVEILLE_AGENT__";
/// Less than a preflight lives (30 s): an instance whose looks take longer could never be called.
const LOOK_S_MAX: f64 = 25.0;

impl Config {
    /// Reads `path` (or nothing but the defaults), lays the environment over it and checks the result.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let text = match path {
            None => String::new(),
            Some(file) => std::fs::read_to_string(file)
                .map_err(|source| ConfigError::Read { file: file.into(), source })?,
        };
        let config = Self::merged(
            path.unwrap_or(Path::new("(defaults)")),
            &text,
            Env::prefixed(ENV_PREFIX).split("__"),
        )?;
        config.check()?;
        Ok(config)
    }

    /// The file is parsed alone first: only then do errors know their line.
    fn merged(file: &Path, text: &str, overrides: impl Provider) -> Result<Self, ConfigError> {
        toml::from_str::<Self>(text).map_err(|e| ConfigError::Parse {
            file: file.into(),
            line: e.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1),
            problem: e.message().to_owned(),
        })?;
        // Not the text again: another parser knows less of TOML.
        let table: toml::Table = toml::from_str(text).unwrap_or_default();
        Figment::from(Serialized::defaults(table))
            .merge(overrides)
            .extract()
            .map_err(|e| ConfigError::Environment { problem: e.to_string() })
    }

    /// Everything that can be known to be wrong before the first wake.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.host_id()?;
        self.state_dir()?;
        check_controllers(&self.controller.address)?;
        check_tls(&self.controller)?;
        if let Some(file) = &self.controller.token_file {
            // A controller that starts at the same time is about to make it: it is read anew at every dial.
            match std::fs::read_to_string(file) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(ConfigError::KeyFile {
                        key: "controller.token_file".into(),
                        file: file.clone(),
                        source,
                    });
                }
                _ => {}
            }
        }
        within("guard.cpu_ceiling_percent", self.guard.cpu_ceiling_percent, 1.0, 100.0)?;
        within("load.smoothing_s", self.load.smoothing_s, 0.0, 3600.0)?;
        within("load.interval_ms", self.load.interval_ms as f64, 1.0, 60_000.0)?;
        within("cpu_group.interval_ms", self.cpu_group.interval_ms as f64, 100.0, 10_000.0)?;
        let endpoints = &self.endpoints;
        within("endpoints.breaker_failures", endpoints.breaker_failures.into(), 1.0, 1000.0)?;
        within("endpoints.breaker_calls", endpoints.breaker_calls.into(), 1.0, 1000.0)?;
        within("endpoints.breaker_share_percent", endpoints.breaker_share_percent, 1.0, 100.0)?;
        within("endpoints.breaker_open_s", endpoints.breaker_open_s.into(), 1.0, 86_400.0)?;
        within("endpoints.breaker_open_max_s", endpoints.breaker_open_max_s.into(), 1.0, 86_400.0)?;
        if self.guard.wakes_max == Some(0) {
            return Err(ConfigError::key("guard.wakes_max", "is 0: nothing could ever be woken"));
        }
        self.listed_instances().map(|_| ())
    }

    /// All instances, those of the templates too, with their placeholders replaced; each is checked.
    pub fn listed_instances(&self) -> Result<Vec<Instance>, ConfigError> {
        let mut listed: Vec<Instance> = self.instances.iter().map(Instance::filled).collect();
        for (i, template) in self.instance_templates.iter().enumerate() {
            listed.extend(template.instances(&format!("instance_templates[{i}]"))?);
        }
        let mut seen = BTreeSet::new();
        for instance in &listed {
            if !seen.insert(instance.id.clone()) {
                return Err(ConfigError::key(format!("instances[{}].id", instance.id), "is listed twice"));
            }
            check_instance(instance)?;
        }
        Ok(listed)
    }
}

fn within(key: &str, value: f64, low: f64, high: f64) -> Result<(), ConfigError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::key(key, format!("is {value}, not within {low}..={high}")))
}

fn check_controllers(addresses: &Addresses) -> Result<(), ConfigError> {
    let key = "controller.address";
    if addresses.all().is_empty() {
        return Err(ConfigError::key(key, "is an empty list"));
    }
    let mut seen = BTreeSet::new();
    for address in addresses.all() {
        check_controller(key, address)?;
        if !seen.insert(address) {
            return Err(ConfigError::key(key, format!("lists {address} twice")));
        }
    }
    Ok(())
}

fn check_controller(key: &str, address: &str) -> Result<(), ConfigError> {
    let url =
        reqwest::Url::parse(address).map_err(|e| ConfigError::key(key, format!("is not a URL: {e}")))?;
    match url.scheme() {
        "http" | "https" => Ok(()),
        scheme => Err(ConfigError::key(key, format!("has the scheme {scheme}; http and https are spoken"))),
    }
}

/// A file of a plain connection would be trusted to protect it.
fn check_tls(controller: &Controller) -> Result<(), ConfigError> {
    let files = [
        ("controller.ca_file", &controller.ca_file),
        ("controller.certificate_file", &controller.certificate_file),
        ("controller.key_file", &controller.key_file),
    ];
    let is_plain = !controller.address.all().iter().any(|address| is_tls(address));
    for (key, file) in files {
        let Some(path) = file else { continue };
        if is_plain {
            return Err(ConfigError::key(key, "is given, but controller.address does not begin with https"));
        }
        std::fs::File::open(path).map_err(|source| ConfigError::KeyFile {
            key: key.into(),
            file: path.clone(),
            source,
        })?;
    }
    match (&controller.certificate_file, &controller.key_file) {
        (Some(_), None) => {
            Err(ConfigError::key("controller.key_file", "is missing beside controller.certificate_file"))
        }
        (None, Some(_)) => {
            Err(ConfigError::key("controller.certificate_file", "is missing beside controller.key_file"))
        }
        _ => Ok(()),
    }
}

fn check_instance(instance: &Instance) -> Result<(), ConfigError> {
    let at = |key: &str| format!("instances[{}].{key}", instance.id);
    match &instance.driver {
        Driver::Http(endpoint) => check_endpoint(endpoint, &at("driver"))?,
        Driver::Process(process) => {
            if process.command.is_empty() {
                return Err(ConfigError::key(at("driver.command"), "is empty"));
            }
            for (name, value) in &process.env {
                value.reveal(&at(&format!("driver.env.{name}")))?;
            }
        }
    }
    if let Some(status) = &instance.status {
        check_status(status, &at("status"))?;
    }
    within(&at("readiness.successes"), f64::from(instance.readiness.successes()), 1.0, 1000.0)?;
    within(&at("readiness.interval_ms"), instance.readiness.interval_ms() as f64, 1.0, 3_600_000.0)?;
    let timeout = match instance.readiness {
        Readiness::Http(_) => "readiness.request_timeout_s",
        Readiness::Tcp(_) => "readiness.connect_timeout_s",
    };
    within(&at(timeout), instance.readiness.timeout_s() as f64, 1.0, LOOK_S_MAX)?;
    match &instance.readiness {
        Readiness::Http(HttpReadiness { url, headers, .. }) => {
            check_url(url, &at("readiness.url"))?;
            check_headers(headers, &at("readiness.headers"))
        }
        Readiness::Tcp(TcpReadiness { address, .. }) => {
            let port = address.rsplit_once(':').and_then(|(host, port)| (!host.is_empty()).then_some(port));
            if port.is_some_and(|port| port.parse::<u16>().is_ok()) {
                return Ok(());
            }
            Err(ConfigError::key(at("readiness.address"), format!("is {address:?}, not host:port")))
        }
    }
}

fn check_status(status: &Status, key: &str) -> Result<(), ConfigError> {
    check_url(&status.url, &format!("{key}.url"))?;
    check_headers(&status.headers, &format!("{key}.headers"))?;
    within(&format!("{key}.request_timeout_s"), status.request_timeout_s as f64, 1.0, LOOK_S_MAX)?;
    if !(status.field.is_empty() || status.field.starts_with('/')) {
        let problem = format!("is {:?}, not a JSON pointer such as \"/state\"", status.field);
        return Err(ConfigError::key(format!("{key}.field"), problem));
    }
    if status.values.is_empty() {
        return Err(ConfigError::key(format!("{key}.values"), "is empty: nothing could ever be called"));
    }
    Ok(())
}

fn check_endpoint(endpoint: &Endpoint, key: &str) -> Result<(), ConfigError> {
    check_url(&endpoint.url, &format!("{key}.url"))?;
    check_headers(&endpoint.headers, &format!("{key}.headers"))?;
    reqwest::Method::from_bytes(endpoint.method.as_bytes())
        .map_err(|e| ConfigError::key(format!("{key}.method"), e.to_string()))?;
    within(&format!("{key}.request_timeout_s"), endpoint.request_timeout_s as f64, 1.0, 3600.0)?;
    match &endpoint.fallback {
        None => Ok(()),
        Some(fallback) if fallback.fallback.is_some() => {
            Err(ConfigError::key(format!("{key}.fallback.fallback"), "is one fallback too many"))
        }
        Some(fallback) => check_endpoint(fallback, &format!("{key}.fallback")),
    }
}

fn check_headers(
    headers: &std::collections::BTreeMap<String, super::SecretText>,
    key: &str,
) -> Result<(), ConfigError> {
    for (name, value) in headers {
        let key = format!("{key}.{name}");
        reqwest::header::HeaderName::from_bytes(name.as_bytes())
            .map_err(|e| ConfigError::key(&key, e.to_string()))?;
        reqwest::header::HeaderValue::from_str(&value.reveal(&key)?)
            .map_err(|_| ConfigError::key(&key, "holds characters a header cannot"))?;
    }
    Ok(())
}

/// The URL may hold a credential, so it is never part of the message.
fn check_url(url: &str, key: &str) -> Result<(), ConfigError> {
    if let Some(placeholder) = ["{instance}", "{number}", "{port}"].iter().find(|p| url.contains(**p)) {
        return Err(ConfigError::key(key, format!("holds {placeholder}, which is not known here")));
    }
    let url = reqwest::Url::parse(&url.replace("{wake_id}", "0"))
        .map_err(|e| ConfigError::key(key, format!("is not a URL: {e}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(ConfigError::key(
            key,
            format!("has the scheme {}; http or https is needed", url.scheme()),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWENTY: &str = r#"
host_id = "host-1"
[controller]
address = "http://127.0.0.1:7412"
[guard]
cpu_ceiling_percent = 80
[[instance_templates]]
ids = { prefix = "dev", from = 1, to = 20 }
port_base = 9001
driver = { kind = "process", command = "serve-{number}", args = ["--port", "{port}"] }
readiness = { kind = "http", url = "http://127.0.0.1:{port}/ready/{instance}", expect = { status = [200, "202-204"], body_contains = "I am {instance}" } }
"#;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        let config = Config::merged(Path::new("agent.toml"), text, Serialized::defaults(toml::Table::new()))?;
        config.check().map(|()| config)
    }

    fn refused(text: &str) -> String {
        parse(text).expect_err("must be refused").to_string()
    }

    #[test]
    fn the_example_is_a_good_configuration() {
        let listed = parse(include_str!("../../agent.example.toml")).expect("valid").listed_instances();
        assert_eq!(listed.expect("valid").len(), 22);
    }

    #[test]
    fn a_template_stands_for_twenty_instances() {
        let listed = parse(TWENTY).expect("valid").listed_instances().expect("valid");
        assert_eq!(listed.len(), 20);
        let Driver::Process(last) = &listed[19].driver else { panic!("a process") };
        assert_eq!((last.command.as_str(), last.args[1].as_str()), ("serve-20", "9020"));
        let Readiness::Http(http) = &listed[19].readiness else { panic!("http") };
        assert_eq!(http.url, "http://127.0.0.1:9020/ready/dev20");
        assert_eq!(http.expect.body_contains.as_deref(), Some("I am dev20"));
        assert!(http.expect.status[1].holds(203) && !http.expect.status[1].holds(205));
    }

    #[test]
    fn a_typo_is_named_with_its_file_and_line() {
        let error = refused("host_id = \"h\"\n\n[guard]\ncpu_ceilng_percent = 80\n");
        assert!(error.contains("agent.toml line 4") && error.contains("cpu_ceilng_percent"), "{error}");
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let env = Serialized::global("guard.cpu_ceiling_percent", 55.0);
        let config = Config::merged(Path::new("agent.toml"), TWENTY, env).expect("valid");
        assert!((config.guard.cpu_ceiling_percent - 55.0).abs() < f64::EPSILON);
        assert_eq!(config.instance_templates.len(), 1);
    }

    #[test]
    fn duplicates_bad_urls_and_missing_files_are_refused_with_their_key() {
        let http = |url: &str, more: &str| {
            format!(
                "[[instances]]\nid = \"dev7\"\ndriver = {{ kind = \"http\", url = \"{url}\"{more} }}\n\
                 readiness = {{ kind = \"tcp\", address = \"127.0.0.1:80\" }}\n"
            )
        };
        let good = http("http://wake.test/{instance}?w={wake_id}", "");
        assert!(parse(&good).is_ok());
        assert!(refused(&format!("{TWENTY}{good}")).contains("instances[dev7].id"));
        assert!(refused(&http("wake.test", "")).contains("instances[dev7].driver.url"));
        assert!(refused(&http("http://wake.test/{port}", "")).contains("{port}"));
        let header = r#", headers = { X-Key = { from_file = "/nonexistent/key" } }"#;
        assert!(refused(&http("http://wake.test", header)).contains("driver.headers.X-Key"));
        let two = r#", fallback = { url = "http://a.test", fallback = { url = "http://b.test" } }"#;
        assert!(refused(&http("http://wake.test", two)).contains("fallback.fallback"));
        assert!(refused(&good.replace("127.0.0.1:80", "nowhere")).contains("readiness.address"));
        let long = good.replace("127.0.0.1:80\"", "127.0.0.1:80\", connect_timeout_s = 30");
        assert!(refused(&long).contains("instances[dev7].readiness.connect_timeout_s"));
        let status = |field: &str, more: &str| {
            format!("{good}[instances.status]\nurl = \"http://s.test/\"\nfield = \"{field}\"\n{more}")
        };
        assert!(parse(&status("/state", "values = { on = \"awake\", off = \"asleep\" }")).is_ok());
        assert!(
            refused(&status("state", "values = { on = \"awake\" }")).contains("instances[dev7].status.field")
        );
        assert!(refused(&status("/state", "values = {}")).contains("status.values"));
        assert!(refused(&status("/state", "values = { on = \"up\" }")).contains("up"));
        assert!(refused("[guard]\nwakes_max = 0\n").contains("guard.wakes_max"));
        assert!(refused("[controller]\naddress = \"ftp://c.test\"\n").contains("controller.address"));
        assert!(parse("[controller]\naddress = \"https://c.test\"\n").is_ok());
        let tls = |rest: &str| format!("[controller]\naddress = \"https://c.test\"\n{rest}");
        let plain = refused("[controller]\nca_file = \"/dev/null\"\n");
        assert!(plain.contains("controller.ca_file") && plain.contains("https"), "{plain}");
        assert!(refused(&tls("ca_file = \"/nonexistent\"\n")).contains("controller.ca_file"));
        assert!(refused(&tls("key_file = \"/dev/null\"\n")).contains("controller.certificate_file"));
        assert!(refused(&tls("certificate_file = \"/dev/null\"\n")).contains("controller.key_file"));
        let several = |list: &str| format!("[controller]\naddress = [{list}]\n");
        assert!(parse(&several("\"http://a.test:1\", \"http://b.test:1\"")).is_ok());
        for bad in ["", "\"http://a.test\", \"ftp://b.test\"", "\"http://a.test\", \"http://a.test\""] {
            assert!(refused(&several(bad)).contains("controller.address"), "{bad}");
        }
        // A token that is not there yet may be made by a controller that starts at the same time.
        assert!(parse("[controller]\ntoken_file = \"/nonexistent/agent.token\"\n").is_ok());
        assert!(refused("[controller]\ntoken_file = \"/\"\n").contains("controller.token_file"));
    }
}
