//! An authority of the proving ground's own, and the certificates it gives.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// Files with a certificate and its key, as PEM.
#[derive(Debug, Clone)]
pub struct Certified {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Gives certificates to whoever asks.
#[derive(Debug)]
pub struct Authority {
    dir: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, which is what others are told to trust.
    pub certificate: PathBuf,
}

impl Authority {
    /// A new one, with its files in `dir`; `name` tells it from others there.
    pub fn new(dir: &Path, name: &str) -> anyhow::Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let certificate = dir.join(format!("{name}.pem"));
        std::fs::write(&certificate, params.self_signed(&key)?.pem())
            .with_context(|| format!("failed to write {}", certificate.display()))?;
        Ok(Self { dir: dir.to_owned(), issuer: Issuer::new(params, key), certificate })
    }

    /// For a server or an agent of these names or addresses.
    pub fn certify(&self, names: &[&str]) -> anyhow::Result<Certified> {
        self.certify_with(names, |_| ())
    }

    /// As [`Self::certify`], changed before it is signed.
    pub fn certify_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> anyhow::Result<Certified> {
        let mut params =
            CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
        change(&mut params);
        let key = KeyPair::generate()?;
        let first = names.first().context("a certificate of nobody")?;
        let stem = first.parse::<IpAddr>().map_or_else(|_| (*first).to_owned(), |_| "server".to_owned());
        let file = |ending: &str| self.dir.join(format!("{stem}.{ending}"));
        let certified = Certified { certificate: file("crt"), key: file("key") };
        let signed = params.signed_by(&key, &self.issuer)?.pem();
        for (path, text) in [(&certified.certificate, signed), (&certified.key, key.serialize_pem())] {
            std::fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))?;
        }
        Ok(certified)
    }
}
