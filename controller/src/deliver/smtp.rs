//! One letter by SMTP, over a connection of its own.

use std::time::{Duration, SystemTime};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, MessageBuilder, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};

use super::{Answer, CourierError, Parcel};
use crate::{
    config::{SmtpConfig, SmtpTls},
    notify::{Payload, letter},
};

/// Characters of what a mail server says that are kept.
const PROBLEM_CHARACTERS_MAX: usize = 300;

/// A mail server, and to whom the letters go.
pub(super) struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Smtp").field("from", &self.from).field("to", &self.to).finish_non_exhaustive()
    }
}

impl Smtp {
    pub(super) fn new(
        config: &SmtpConfig,
        password: Option<String>,
        timeout: Duration,
    ) -> Result<Self, CourierError> {
        let failed = |error: &dyn std::fmt::Display| CourierError::Smtp(error.to_string());
        let parameters = || TlsParameters::new(config.host.clone()).map_err(|error| failed(&error));
        let tls = match config.tls {
            SmtpTls::Tls => Tls::Wrapper(parameters()?),
            SmtpTls::Starttls => Tls::Required(parameters()?),
            SmtpTls::None => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
            .port(config.port())
            .tls(tls)
            .timeout(Some(timeout));
        if let (Some(user), Some(password)) = (&config.username, password) {
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        let mailbox = |text: &String| text.parse::<Mailbox>().map_err(|error| failed(&error));
        let to = config.to.iter().map(mailbox).collect::<Result<_, _>>()?;
        Ok(Self { transport: builder.build(), from: mailbox(&config.from)?, to })
    }

    pub(super) async fn deliver(&self, parcel: &Parcel<'_>) -> Answer {
        let sent = match self.message(parcel) {
            Ok(message) => self.transport.send(message).await.map_err(|error| told(&error)),
            Err(problem) => Err(problem),
        };
        match sent {
            Ok(_) => Answer::Delivered,
            Err(problem) => Answer::Failed {
                problem: problem.chars().take(PROBLEM_CHARACTERS_MAX).collect(),
                retry_after_s: None,
                is_of_receiver: false,
            },
        }
    }

    /// With the same id and date however often it is sent, so that doubles can be told.
    fn message(&self, parcel: &Parcel<'_>) -> Result<Message, String> {
        let payload: Payload = serde_json::from_str(parcel.body)
            .map_err(|error| format!("its body is not what was expected: {error}"))?;
        let letter = letter(&payload);
        let made_s = u64::try_from(parcel.created_at.as_second()).unwrap_or(0);
        let builder = Message::builder()
            .from(self.from.clone())
            .subject(letter.subject)
            .date(SystemTime::UNIX_EPOCH + Duration::from_secs(made_s))
            .message_id(Some(format!("<{}@reveille>", parcel.message_id)))
            .header(ContentType::TEXT_PLAIN);
        let builder = self.to.iter().cloned().fold(builder, MessageBuilder::to);
        builder.body(letter.text).map_err(|error| format!("the letter cannot be written: {error}"))
    }
}

/// The whole chain in one line; it holds what the server said, and nothing it was told.
fn told(error: &lettre::transport::smtp::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
