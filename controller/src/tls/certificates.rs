//! The certificate in service, and its replacement when the files change.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::SystemTime,
};

use rustls::ServerConfig;

use super::{Face, TlsError, files::Terms};
use crate::config::TlsConfig;

/// Size and time of change of each file; `None` of one that is not there.
type Stamps = Vec<Option<(u64, SystemTime)>>;

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Certificates(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    certificate: PathBuf,
    key: PathBuf,
    config: TlsConfig,
    terms: RwLock<Terms>,
    /// As the files were when they were last read, for better or worse.
    stamps: Mutex<Stamps>,
}

impl Certificates {
    /// Reads the files; `None` when the configuration names none.
    pub fn read(config: &TlsConfig) -> Result<Option<Self>, TlsError> {
        let Some((certificate, key)) = config.own() else { return Ok(None) };
        // Before they are read: a change meanwhile is found later.
        let stamps = stamps(config);
        let terms = Terms::read(certificate, key, config)?;
        Ok(Some(Self(Arc::new(Inner {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            config: config.clone(),
            terms: RwLock::new(terms),
            stamps: Mutex::new(stamps),
        }))))
    }

    /// By what the next connection is made.
    pub(super) fn terms(&self, face: Face) -> Arc<ServerConfig> {
        self.0.terms.read().unwrap_or_else(PoisonError::into_inner).of(face)
    }

    /// Reads the files again where they have changed; says whether they had. Files that cannot be used change nothing, and
    /// are complained of once.
    pub fn renew(&self) -> Result<bool, TlsError> {
        let inner = &*self.0;
        let now = stamps(&inner.config);
        {
            let mut stamps = inner.stamps.lock().unwrap_or_else(PoisonError::into_inner);
            if *stamps == now {
                return Ok(false);
            }
            *stamps = now;
        }
        let terms = Terms::read(&inner.certificate, &inner.key, &inner.config)?;
        *inner.terms.write().unwrap_or_else(PoisonError::into_inner) = terms;
        Ok(true)
    }
}

fn stamps(config: &TlsConfig) -> Stamps {
    let stamp = |path: &Path| {
        let meta = std::fs::metadata(path).ok()?;
        Some((meta.len(), meta.modified().ok()?))
    };
    let files = [&config.certificate_file, &config.key_file, &config.client_ca_file];
    files.into_iter().map(|path| path.as_deref().and_then(stamp)).collect()
}
