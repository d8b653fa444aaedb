//! Notifications: what was told to whom, what is still to be told, and what was given up.

use super::Control;
use crate::{
    api::{
        ControlError,
        view::{NotificationPage, page_size, split_page},
    },
    store::NotificationFilter,
};

/// Which notifications, and how many.
#[derive(Debug, Clone, Default)]
pub struct NotificationsQuery {
    /// Name of a state; none is all.
    pub state: Option<String>,
    pub receiver: Option<String>,
    pub instance: Option<String>,
    /// 0 is the default.
    pub page_size: u32,
    pub after: Option<i64>,
}

const STATES: [&str; 3] = ["pending", "delivered", "given_up"];

impl Control {
    /// Newest first.
    pub async fn notifications(&self, query: NotificationsQuery) -> Result<NotificationPage, ControlError> {
        if let Some(state) = query.state.as_deref().filter(|state| !STATES.contains(state)) {
            let problem = format!("is {state:?}, none of {}", STATES.join(", "));
            return Err(ControlError::invalid("state", problem));
        }
        let size = page_size(query.page_size)?;
        let filter = NotificationFilter {
            state: query.state,
            receiver: query.receiver,
            instance: query.instance,
            before: query.after,
            limit: size + 1,
        };
        let rows = self.shared.store.notifications_list(&filter).await?;
        let (rows, next_page_token) = split_page(rows, size, |row| row.notification_id.to_string());
        Ok(NotificationPage { items: rows.into_iter().map(Into::into).collect(), next_page_token })
    }
}
