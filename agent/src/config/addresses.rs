//! Where controllers are: one address, or several that share a database, any of which will do.

use std::fmt;

use serde::Deserialize;

/// `"http://host:port"`, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Written")]
pub struct Addresses(Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    One(String),
    Several(Vec<String>),
}

impl From<Written> for Addresses {
    fn from(written: Written) -> Self {
        match written {
            Written::One(address) => Self(vec![address]),
            Written::Several(addresses) => Self(addresses),
        }
    }
}

impl Addresses {
    pub fn new(addresses: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(addresses.into_iter().map(Into::into).collect())
    }

    /// In the order they are written.
    pub fn all(&self) -> &[String] {
        &self.0
    }

    /// Whether there is somewhere else to go.
    pub fn are_several(&self) -> bool {
        self.0.len() > 1
    }
}

/// Whether an address asks for TLS.
pub fn is_tls(address: &str) -> bool {
    address.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"))
}

/// As one line.
impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct File {
        address: Addresses,
    }

    #[test]
    fn a_scheme_may_be_written_in_capitals() {
        assert!(is_tls("https://a") && is_tls("HTTPS://a"));
        assert!(!is_tls("http://https:1") && !is_tls("h"));
    }

    #[test]
    fn one_and_several_are_read_in_their_order() {
        let read = |text: &str| toml::from_str::<File>(text).expect("valid").address;
        let one = read(r#"address = "http://a:1""#);
        assert_eq!((one.all(), one.are_several()), (["http://a:1".to_owned()].as_slice(), false));
        let several = read(r#"address = ["http://b:1", "http://a:1"]"#);
        assert!(several.are_several());
        assert_eq!(several.to_string(), "http://b:1, http://a:1");
    }
}
