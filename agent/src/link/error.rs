//! Why a session did not begin, or ended.

use std::{io, path::PathBuf};

use reveille_proto::v1::refused::Code;

/// The end of one session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error("failed to read the token from {}", path.display())]
    Token { path: PathBuf, source: io::Error },
    #[error("failed to use the token of {}: it holds characters a header cannot", path.display())]
    BadToken { path: PathBuf },
    #[error("failed to read controller.{field} from {}", path.display())]
    TlsFile { field: &'static str, path: PathBuf, source: io::Error },
    #[error("failed to connect to the controller")]
    Connect(#[source] Box<tonic::transport::Error>),
    #[error("failed to hear from the controller")]
    Rpc(#[source] Box<tonic::Status>),
    #[error("failed to be welcomed by the controller: {0}")]
    NoWelcome(&'static str),
    #[error("failed to be taken by the controller ({}): {detail}", code.as_str_name())]
    Refused { code: Code, detail: String },
    #[error("failed to keep the session: the controller closed it")]
    Closed,
}

impl SessionError {
    /// Whether trying again soon would meet the same no.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Refused { code, .. } => *code != Code::Draining,
            Self::Rpc(status) => matches!(
                status.code(),
                tonic::Code::Unauthenticated | tonic::Code::PermissionDenied | tonic::Code::Unimplemented
            ),
            _ => false,
        }
    }
}
