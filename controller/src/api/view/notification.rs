//! What a receiver is told, and how far that is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Page;
use crate::store::NotificationRow;

/// One notification for one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotificationView {
    pub notification_id: i64,
    /// `webhook-id` of every try.
    pub message_id: String,
    pub receiver: String,
    /// `instance.ready`, `wake.failed` or `budget.spent`.
    pub event: String,
    pub instance_id: Option<String>,
    /// `pending`, `delivered` or `given_up`.
    pub state: String,
    /// Tries so far.
    pub attempts: u32,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// The next try is not before; none when there is none.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Of the last try that failed.
    pub last_error: Option<String>,
}

/// A page of notifications, newest first.
pub type NotificationPage = Page<NotificationView>;

impl From<NotificationRow> for NotificationView {
    fn from(row: NotificationRow) -> Self {
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            notification_id: row.notification_id,
            message_id: row.message_id,
            receiver: row.receiver,
            event: row.event,
            instance_id: some(row.instance),
            due_at: Some(row.due_at).filter(|_| row.ended_at.is_none()),
            state: row.state,
            attempts: row.attempts,
            created_at: row.created_at,
            ended_at: row.ended_at,
            last_error: some(row.last_error),
        }
    }
}
