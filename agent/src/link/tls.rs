//! How the agent knows its controller, and shows who it is itself: TLS for addresses that begin with `https`.

use std::path::Path;

use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use super::SessionError;
use crate::config::{Controller, is_tls};

/// For one dial: the files are read each time, so that they may be rotated. `None` where the address asks for no TLS.
pub(super) fn tls(controller: &Controller, address: &str) -> Result<Option<ClientTlsConfig>, SessionError> {
    if !is_tls(address) {
        return Ok(None);
    }
    let mut tls = ClientTlsConfig::new();
    tls = match &controller.ca_file {
        Some(path) => tls.ca_certificate(Certificate::from_pem(read("ca_file", path)?)),
        None => tls.with_native_roots(),
    };
    if let (Some(certificate), Some(key)) = (&controller.certificate_file, &controller.key_file) {
        tls =
            tls.identity(Identity::from_pem(read("certificate_file", certificate)?, read("key_file", key)?));
    }
    if let Some(name) = &controller.server_name {
        tls = tls.domain_name(name);
    }
    Ok(Some(tls))
}

fn read(field: &'static str, path: &Path) -> Result<Vec<u8>, SessionError> {
    std::fs::read(path).map_err(|source| SessionError::TlsFile { field, path: path.to_owned(), source })
}
