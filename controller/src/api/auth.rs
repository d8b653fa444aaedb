//! Bearer tokens: read from files, made at the first start, compared in constant time, never shown.

use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use rand::{TryRng, rngs::SysRng};
use sha2::{Digest, Sha256};

use crate::config::Config;

/// File names in the data directory.
pub const OPERATOR_TOKEN_FILE: &str = "operator.token";
pub const AGENT_TOKEN_FILE: &str = "agent.token";

/// Random bytes in a token that is made here.
const TOKEN_BYTES: usize = 32;
/// Shortest token that is taken from a file.
const TOKEN_CHARACTERS_MIN: usize = 16;

/// Tokens that cannot be had, and why.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    #[error("failed to read the token file {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("failed to write the token file {path}")]
    Write { path: PathBuf, source: io::Error },
    #[error("the token in {path} is too short: at least {TOKEN_CHARACTERS_MIN} characters are needed")]
    TooShort { path: PathBuf },
    #[error("failed to draw a random token")]
    Random(#[source] rand::rngs::SysError),
}

/// A secret, kept as its digest: comparing digests takes the same time wherever the texts differ.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl Token {
    pub fn new(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// Whether `secret` is this token.
    pub fn admits(&self, secret: &str) -> bool {
        let other = Self::new(secret);
        let difference = self.0.iter().zip(other.0).fold(0, |sum, (a, b)| sum | (a ^ b));
        difference == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Who may do what: operators use the API, agents open sessions.
#[derive(Debug, Clone)]
pub struct Tokens {
    pub operator: Token,
    pub agent: Token,
    /// Where the operator's token is, to be told at the start.
    pub operator_path: PathBuf,
    /// Where the agents' token is.
    pub agent_path: PathBuf,
}

impl Tokens {
    /// Reads the configured files. A token without a configured file lives in `data_dir` and is made there, readable
    /// by its owner only, when it is not there yet.
    pub fn load_or_create(config: &Config, data_dir: &Path) -> Result<Self, AuthError> {
        let config = &config.auth;
        let (operator, operator_path) =
            token(config.operator_token_file.as_deref(), data_dir, OPERATOR_TOKEN_FILE)?;
        let (agent, agent_path) = token(config.agent_token_file.as_deref(), data_dir, AGENT_TOKEN_FILE)?;
        Ok(Self { operator, agent, operator_path, agent_path })
    }

    /// Whether the configured files can be used; nothing is made.
    pub fn check(config: &Config) -> Result<(), AuthError> {
        let files = [&config.auth.operator_token_file, &config.auth.agent_token_file];
        files.into_iter().flatten().try_for_each(|path| read(path).map(drop))
    }
}

fn token(configured: Option<&Path>, data_dir: &Path, name: &str) -> Result<(Token, PathBuf), AuthError> {
    if let Some(path) = configured {
        return Ok((read(path)?, path.to_owned()));
    }
    let path = data_dir.join(name);
    match create(&path) {
        Ok(()) => {}
        Err(AuthError::Write { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    Ok((read(&path)?, path))
}

fn read(path: &Path) -> Result<Token, AuthError> {
    let text =
        fs::read_to_string(path).map_err(|source| AuthError::Read { path: path.to_owned(), source })?;
    let secret = text.trim();
    if secret.len() < TOKEN_CHARACTERS_MIN {
        return Err(AuthError::TooShort { path: path.to_owned() });
    }
    Ok(Token::new(secret))
}

/// Makes the file; fails with `AlreadyExists` when there is one.
fn create(path: &Path) -> Result<(), AuthError> {
    let failed = |source| AuthError::Write { path: path.to_owned(), source };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(failed)?;
    }
    let secret = draw()?;
    let mut file = options.open(path).map_err(failed)?;
    writeln!(file, "{secret}").and_then(|()| file.sync_all()).map_err(failed)
}

fn draw() -> Result<String, AuthError> {
    use std::fmt::Write as _;
    let mut bytes = [0u8; TOKEN_BYTES];
    SysRng.try_fill_bytes(&mut bytes).map_err(AuthError::Random)?;
    let mut hex = String::with_capacity(2 * TOKEN_BYTES);
    for byte in bytes {
        write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
    }
    Ok(hex)
}

/// The secret in an `Authorization` header, when it is a bearer's.
pub(super) fn bearer(header: &str) -> Option<&str> {
    let (scheme, secret) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_made_once_and_kept_for_the_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().join("new/reveille");
        let first = Tokens::load_or_create(&Config::default(), &data_dir).unwrap();
        let second = Tokens::load_or_create(&Config::default(), &data_dir).unwrap();
        assert_eq!(first.operator, second.operator);
        assert_ne!(first.operator, first.agent);
        let secret = fs::read_to_string(&first.operator_path).unwrap();
        assert_eq!(secret.trim().len(), 2 * TOKEN_BYTES);
        assert!(first.operator.admits(secret.trim()));
        assert!(!first.agent.admits(secret.trim()));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&first.operator_path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_configured_file_must_be_there_and_long_enough() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        let mut config = Config::default();
        config.auth.operator_token_file = Some(path.clone());
        let missing = Tokens::load_or_create(&config, dir.path());
        assert!(matches!(missing, Err(AuthError::Read { .. })), "{missing:?}");
        fs::write(&path, "short\n").unwrap();
        let short = Tokens::load_or_create(&config, dir.path());
        assert!(matches!(short, Err(AuthError::TooShort { .. })), "{short:?}");
        fs::write(&path, "a-long-enough-token\n").unwrap();
        let tokens = Tokens::load_or_create(&config, dir.path()).unwrap();
        assert!(tokens.operator.admits("a-long-enough-token"));
    }

    #[test]
    fn a_token_is_never_shown() {
        assert_eq!(format!("{:?}", Token::new("secret")), "Token(..)");
    }

    #[test]
    fn a_bearer_is_told_from_other_schemes() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer  abc "), Some("abc"));
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("abc"), None);
    }
}
