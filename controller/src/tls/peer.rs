//! Who is at the other end, as far as a certificate says.

use std::sync::Arc;

use rustls::{
    client::verify_server_name,
    pki_types::{CertificateDer, ServerName},
    server::ParsedCertificate,
};

/// A client's certificate, already found to be of the authority asked for; none where none was shown. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Peer(Option<Arc<CertificateDer<'static>>>);

/// Why a certificate does not speak for a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTheHost {
    #[error("agents must show a certificate, see `controller.certificate_file` of the agent")]
    NoCertificate,
    #[error("the certificate does not name {0} among its DNS names")]
    OtherName(String),
}

impl Peer {
    pub(super) fn new(chain: Option<&[CertificateDer<'_>]>) -> Self {
        let first = chain.and_then(<[_]>::first);
        Self(first.map(|certificate| Arc::new(certificate.clone().into_owned())))
    }

    /// Whether the certificate names the host: as a DNS name, perhaps by a wildcard.
    pub fn speaks_for(&self, host: &str) -> Result<(), NotTheHost> {
        let certificate = self.0.as_deref().ok_or(NotTheHost::NoCertificate)?;
        let other = || NotTheHost::OtherName(host.to_owned());
        let parsed = ParsedCertificate::try_from(certificate).map_err(|_| other())?;
        let name = ServerName::try_from(host).map_err(|_| other())?;
        verify_server_name(&parsed, &name).map_err(|_| other())
    }
}
