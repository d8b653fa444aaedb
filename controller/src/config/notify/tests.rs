//! Every mistake is told with the key it stands under, and no secret is shown.

use std::path::PathBuf;

use super::*;
use crate::config::Config;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

struct Written {
    dir: tempfile::TempDir,
}

impl Written {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret"), format!("{SECRET}\n")).unwrap();
        std::fs::write(dir.path().join("empty"), "\n").unwrap();
        std::fs::write(dir.path().join("bad"), "s3cret").unwrap();
        Self { dir }
    }

    /// The configuration with this text, where `@` is the directory of the files.
    fn load(&self, text: &str) -> Result<Config, String> {
        let path: PathBuf = self.dir.path().join("controller.toml");
        std::fs::write(&path, text.replace('@', &self.dir.path().display().to_string())).unwrap();
        Config::load(Some(&path)).map_err(|error| error.to_string())
    }

    fn refused(&self, text: &str) -> String {
        let error = self.load(text).map(drop).expect_err(text);
        assert!(!error.contains("s3cret"), "{error}");
        error
    }
}

fn webhook(rest: &str) -> String {
    format!("[[notify.webhooks]]\nname = \"chat\"\n{rest}")
}

#[test]
fn receivers_are_read_with_their_defaults_and_shown_without_secrets() {
    let written = Written::new();
    let mut config = Config::default();
    config.notify.webhooks.push(WebhookConfig {
        name: "chat".into(),
        url: "https://example.com/hook".into(),
        secret_file: written.dir.path().join("secret"),
        events: [Event::WakeFailed].into(),
        instances: vec!["dev*".into()],
    });
    config.notify.smtp = Some(SmtpConfig {
        host: "mail.example.com".into(),
        port: None,
        tls: SmtpTls::Tls,
        from: "r@example.com".into(),
        to: vec!["Ann <ann@example.com>".into()],
        username: Some("r".into()),
        password_file: Some(written.dir.path().join("bad")),
        events: Event::ALL.into(),
        instances: Vec::new(),
    });
    config.check().unwrap();
    let shown = toml::to_string_pretty(&config).unwrap();
    assert!(!shown.contains("whsec_") && !shown.contains("s3cret"), "{shown}");
    let again: Config = toml::from_str(&shown).unwrap();
    let receivers = again.notify.receivers().unwrap();
    assert_eq!(receivers.names(), ["chat".to_owned(), "smtp".to_owned()].into());
    assert_eq!(again.notify.smtp.unwrap().port(), 465);
    assert!(Config::default().notify.receivers().unwrap().is_empty());
}

#[test]
fn a_mistake_in_a_webhook_is_told_with_its_key() {
    let written = Written::new();
    let good = "url = \"https://example.com/hook\"\nsecret_file = \"@/secret\"\n";
    written.load(&webhook(good)).unwrap();
    for (text, expected) in [
        (webhook("url = \"nowhere\"\nsecret_file = \"@/secret\"\n"), "`notify.webhooks[0].url` is no URL"),
        (webhook("url = \"ftp://h/\"\nsecret_file = \"@/secret\"\n"), "`notify.webhooks[0].url` must begin"),
        (
            webhook("url = \"https://h/\"\nsecret_file = \"@/none\"\n"),
            "`notify.webhooks[0].secret_file` cannot",
        ),
        (webhook("url = \"https://h/\"\nsecret_file = \"@/empty\"\n"), "it is empty"),
        (webhook("url = \"https://h/\"\nsecret_file = \"@/bad\"\n"), "is no secret: `whsec_`"),
        (webhook(&format!("{good}events = []\n")), "`notify.webhooks[0].events` is empty"),
        (webhook(&format!("{good}instances = [\"[\"]\n")), "`notify.webhooks[0].instances[0]` is \"[\""),
        (webhook(&format!("{good}{}", webhook(good))), "`notify.webhooks[1].name` is \"chat\""),
        (webhook(&format!("{good}events = [\"wake.lost\"]\n")), "wake.lost"),
        (webhook(good).replace("chat", "smtp"), "`notify.webhooks[0].name` is \"smtp\""),
        ("[notify]\ntimeout_s = 0\n".into(), "`notify.timeout_s` must be at least 1"),
    ] {
        let error = written.refused(&text);
        assert!(error.contains(expected), "{error}");
    }
    let with_password = "https://ann:s3cret\u{40}example.com/hook";
    let mut config = Config::default();
    config.notify.webhooks.push(WebhookConfig {
        name: "chat".into(),
        url: with_password.into(),
        secret_file: written.dir.path().join("secret"),
        events: Event::ALL.into(),
        instances: Vec::new(),
    });
    let error = config.check().unwrap_err().to_string();
    assert!(error.contains("holds credentials") && !error.contains("s3cret"), "{error}");
}

/// What is made wrong.
type Change = fn(&mut SmtpConfig);

#[test]
fn a_mistake_in_smtp_is_told_with_its_key() {
    let smtp = |change: fn(&mut SmtpConfig)| {
        let mut smtp = SmtpConfig {
            host: "mail.example.com".into(),
            port: None,
            tls: SmtpTls::Starttls,
            from: "r@example.com".into(),
            to: vec!["ann@example.com".into()],
            username: None,
            password_file: None,
            events: Event::ALL.into(),
            instances: Vec::new(),
        };
        change(&mut smtp);
        let mut config = Config::default();
        config.notify.smtp = Some(smtp);
        config.check().map_err(|error| error.to_string())
    };
    assert_eq!(smtp(|_| {}), Ok(()));
    let refused: [(Change, &str); 6] = [
        (|smtp| smtp.host.clear(), "`notify.smtp.host` is empty"),
        (|smtp| smtp.to.clear(), "`notify.smtp.to` is empty"),
        (|smtp| smtp.to[0] = "ann".into(), "`notify.smtp.to[0]` is no address"),
        (|smtp| smtp.username = Some("r".into()), "`notify.smtp.password_file` is missing"),
        (|smtp| smtp.password_file = Some("/none".into()), "`notify.smtp.username` is missing"),
        (
            |smtp| {
                smtp.username = Some("r".into());
                smtp.password_file = Some("/none".into());
                smtp.tls = SmtpTls::None;
            },
            "`notify.smtp.tls` is none",
        ),
    ];
    for (change, expected) in refused {
        let error = smtp(change).expect_err(expected);
        assert!(error.contains(expected), "{error}");
    }
}
