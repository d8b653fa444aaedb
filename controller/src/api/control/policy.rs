//! The policy: as it is, changed one key at a time, and the record of changes.

use super::Control;
use crate::api::{
    ControlError,
    view::{Items, PolicyChangeView, PolicyView, page_size},
};

impl Control {
    pub async fn policy(&self) -> Result<PolicyView, ControlError> {
        let set = self.shared.store.policy_list().await?;
        Ok(PolicyView::new(&self.shared.policy(), set))
    }

    /// In force when this returns, without a restart.
    pub async fn policy_set(&self, key: &str, value: &str, by: &str) -> Result<PolicyView, ControlError> {
        self.shared.policy_set(key, value, by).await?;
        self.policy().await
    }

    /// Back to what the configuration says; in force when this returns.
    pub async fn policy_unset(&self, key: &str, by: &str) -> Result<PolicyView, ControlError> {
        self.shared.policy_unset(key, by).await?;
        self.policy().await
    }

    /// Newest first.
    pub async fn policy_changes(&self, asked: u32) -> Result<Items<PolicyChangeView>, ControlError> {
        let rows = self.shared.store.policy_changes(page_size(asked)?).await?;
        Ok(Items { items: rows.into_iter().map(Into::into).collect() })
    }
}
