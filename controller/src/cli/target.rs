//! Which controller a command talks to, and with which token.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use serde::Deserialize;

use super::{args::Global, failure::Failure};
use crate::api::OPERATOR_TOKEN_FILE;

const ADDRESS_DEFAULT: &str = "http://127.0.0.1:7411";
const TOKEN_VARIABLE: &str = "REVEILLE_TOKEN";

/// `~/.config/reveille/client.toml`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ClientFile {
    address: Option<String>,
    token_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
}

/// A controller, and what it is told to let us in.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) address: reqwest::Url,
    pub(super) token: Option<Secret>,
    /// Where the token was looked for, for the error when it does not fit.
    pub(super) token_place: String,
    /// Authorities of its certificate; without a file, those the system trusts.
    pub(super) ca_file: Option<PathBuf>,
}

/// Never shown.
pub(super) struct Secret(pub(super) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What stands outside the command line.
#[derive(Debug, Default)]
struct Surroundings {
    config_dir: Option<PathBuf>,
    data_dir: Option<PathBuf>,
    token: Option<String>,
}

impl Target {
    /// Flag or environment first, then `client.toml`, then what a controller on this machine uses.
    pub(super) fn find(global: &Global) -> Result<Self, Failure> {
        let base = etcetera::choose_base_strategy().ok();
        let around = Surroundings {
            config_dir: base.as_ref().map(|base| base.config_dir().join("reveille")),
            data_dir: base.as_ref().map(|base| base.data_dir().join("reveille")),
            token: std::env::var(TOKEN_VARIABLE).ok().filter(|token| !token.is_empty()),
        };
        let mut target = Self::of(global.address.as_deref(), global.token_file.as_deref(), around)?;
        target.ca_file = global.ca_file.clone().or(target.ca_file);
        Ok(target)
    }

    fn of(address: Option<&str>, token_file: Option<&Path>, around: Surroundings) -> Result<Self, Failure> {
        let file = client_file(around.config_dir.as_deref())?;
        let address = address.or(file.address.as_deref()).unwrap_or(ADDRESS_DEFAULT);
        let address = parse_address(address)?;
        let ca_file = file.ca_file;
        let place = |path: &Path| path.display().to_string();
        if let Some(path) = token_file {
            return Ok(Self { address, token: Some(read(path)?), token_place: place(path), ca_file });
        }
        if let Some(token) = around.token {
            let token = Some(Secret(token));
            return Ok(Self {
                address,
                token,
                token_place: format!("the environment variable {TOKEN_VARIABLE}"),
                ca_file,
            });
        }
        if let Some(path) = &file.token_file {
            return Ok(Self { address, token: Some(read(path)?), token_place: place(path), ca_file });
        }
        let Some(path) = around.data_dir.map(|dir| dir.join(OPERATOR_TOKEN_FILE)) else {
            return Ok(Self {
                address,
                token: None,
                token_place: "nowhere: there is no home directory".into(),
                ca_file,
            });
        };
        // Nobody asked for this file, so its absence is no error yet; the controller may say that a token is needed.
        let token = path.exists().then(|| read(&path)).transpose()?;
        Ok(Self { address, token, token_place: place(&path), ca_file })
    }
}

fn client_file(config_dir: Option<&Path>) -> Result<ClientFile, Failure> {
    let Some(path) = config_dir.map(|dir| dir.join("client.toml")) else { return Ok(ClientFile::default()) };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(ClientFile::default()),
        Err(error) => return Err(unreadable(&path, error)),
    };
    toml::from_str(&text).map_err(|e| Failure::Input(format!("failed to parse {}: {e}", path.display())))
}

fn parse_address(text: &str) -> Result<reqwest::Url, Failure> {
    let bad = |problem: String| {
        Failure::Input(format!("the address {text:?} is no URL such as {ADDRESS_DEFAULT}: {problem}"))
    };
    let url = reqwest::Url::parse(text).map_err(|e| bad(e.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() {
        return Err(bad("it does not begin with http:// or https://".into()));
    }
    Ok(url)
}

fn read(path: &Path) -> Result<Secret, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, error))?;
    Ok(Secret(text.trim().to_owned()))
}

fn unreadable(path: &Path, error: std::io::Error) -> Failure {
    Failure::File(anyhow::Error::new(error).context(format!("failed to read {}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Home(tempfile::TempDir);

    impl Home {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn write(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        }

        fn around(&self, token: Option<&str>) -> Surroundings {
            let dir = Some(self.0.path().to_owned());
            Surroundings { config_dir: dir.clone(), data_dir: dir, token: token.map(str::to_owned) }
        }
    }

    fn found(target: &Target) -> (&str, Option<&str>) {
        (target.address.as_str(), target.token.as_ref().map(|secret| secret.0.as_str()))
    }

    #[test]
    fn the_nearer_wins() {
        let home = Home::new();
        let flag = home.write("flag.token", "of-flag\n");
        let nothing = Target::of(None, None, home.around(None)).unwrap();
        assert_eq!(found(&nothing), ("http://127.0.0.1:7411/", None));
        home.write(OPERATOR_TOKEN_FILE, "of-data-dir");
        let local = Target::of(None, None, home.around(None)).unwrap();
        assert_eq!(found(&local), ("http://127.0.0.1:7411/", Some("of-data-dir")));
        let named = home.write("named.token", "of-client-file");
        let text = format!("address = 'https://reveille.example.com'\ntoken_file = '{}'\n", named.display());
        home.write("client.toml", &text);
        let filed = Target::of(None, None, home.around(None)).unwrap();
        assert_eq!(found(&filed), ("https://reveille.example.com/", Some("of-client-file")));
        let environment = Target::of(None, None, home.around(Some("of-environment"))).unwrap();
        assert_eq!(found(&environment), ("https://reveille.example.com/", Some("of-environment")));
        let flagged =
            Target::of(Some("http://h:1"), Some(&flag), home.around(Some("of-environment"))).unwrap();
        assert_eq!(found(&flagged), ("http://h:1/", Some("of-flag")));
        assert!(!format!("{flagged:?}").contains("of-flag"));
    }

    #[test]
    fn what_cannot_be_used_is_said() {
        let home = Home::new();
        for address in ["127.0.0.1:7411", "ftp://h", "nonsense"] {
            let refused = Target::of(Some(address), None, home.around(None)).unwrap_err();
            assert!(refused.to_string().contains(address), "{refused}");
        }
        let missing = Target::of(None, Some(Path::new("no/such/file")), home.around(None)).unwrap_err();
        assert!(missing.to_string().contains("no/such/file"), "{missing}");
        home.write("client.toml", "adress = 'x'\n");
        let typo = Target::of(None, None, home.around(None)).unwrap_err();
        assert!(typo.to_string().contains("adress"), "{typo}");
    }
}
