//! What the files hold, as what connections are made by.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject as _},
    },
    server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier},
};
use tracing::warn;

use crate::config::TlsConfig;

/// A file of `[tls]` that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("failed to read tls.{field} from {}", path.display())]
    Read { field: &'static str, path: PathBuf, source: pem::Error },
    #[error("failed to use tls.{field}: there is no certificate in {}", path.display())]
    Empty { field: &'static str, path: PathBuf },
    #[error("failed to use tls.{field} of {}", path.display())]
    Use { field: &'static str, path: PathBuf, source: rustls::Error },
    #[error("failed to use tls.client_ca_file of {}", path.display())]
    ClientCa { path: PathBuf, source: VerifierBuilderError },
}

/// Which listener a connection comes to; they speak different protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    Http,
    Grpc,
}

impl Face {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Grpc => "grpc",
        }
    }

    fn protocol(self) -> &'static [u8] {
        match self {
            Self::Http => b"http/1.1",
            Self::Grpc => b"h2",
        }
    }
}

/// By what connections are made.
#[derive(Debug)]
pub(super) struct Terms {
    http: Arc<ServerConfig>,
    grpc: Arc<ServerConfig>,
}

impl Terms {
    pub(super) fn of(&self, face: Face) -> Arc<ServerConfig> {
        match face {
            Face::Http => Arc::clone(&self.http),
            Face::Grpc => Arc::clone(&self.grpc),
        }
    }

    /// Reads the files of a configuration that names a certificate and its key.
    pub(super) fn read(certificate: &Path, key: &Path, config: &TlsConfig) -> Result<Self, TlsError> {
        let chain = certificates("certificate_file", certificate)?;
        let secret = PrivateKeyDer::from_pem_file(key).map_err(|source| TlsError::Read {
            field: "key_file",
            path: key.to_owned(),
            source,
        })?;
        if is_open_to_all(key) {
            warn!(file = %key.display(), "every user of this machine can read the private key of tls.key_file");
        }
        let unusable = |source| TlsError::Use { field: "key_file", path: key.to_owned(), source };
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let builder = match &config.client_ca_file {
            None => builder.with_no_client_auth(),
            Some(path) => builder.with_client_cert_verifier(verifier(path, provider)?),
        };
        let mut terms = builder.with_single_cert(chain, secret).map_err(unusable)?;
        // Sessions last for days: what would be kept to resume one is worth less than its memory.
        terms.session_storage = Arc::new(NoServerSessionStorage {});
        terms.send_tls13_tickets = 0;
        let face = |face: Face| {
            let mut terms = terms.clone();
            terms.alpn_protocols = vec![face.protocol().to_vec()];
            Arc::new(terms)
        };
        Ok(Self { http: face(Face::Http), grpc: face(Face::Grpc) })
    }
}

/// A group may read it: that is how keys are shared with the services that use them.
fn is_open_to_all(secret: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(secret).is_ok_and(|meta| meta.permissions().mode() & 0o004 != 0)
}

/// Whoever shows a certificate must show one of this authority. That agents do show one is asked of their hellos: people
/// and probes have none.
fn verifier(
    path: &Path,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("client_ca_file", path)? {
        roots.add(certificate).map_err(|source| TlsError::Use {
            field: "client_ca_file",
            path: path.to_owned(),
            source,
        })?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .build()
        .map_err(|source| TlsError::ClientCa { path: path.to_owned(), source })
}

fn certificates(field: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = |source| TlsError::Read { field, path: path.to_owned(), source };
    let found = CertificateDer::pem_file_iter(path).map_err(read)?.collect::<Result<Vec<_>, _>>();
    let found = found.map_err(read)?;
    if found.is_empty() {
        return Err(TlsError::Empty { field, path: path.to_owned() });
    }
    Ok(found)
}
