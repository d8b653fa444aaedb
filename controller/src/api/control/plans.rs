//! The newest plan, and whom it left out.

use reveille_proto::InstanceId;

use super::Control;
use crate::api::{
    ControlError,
    view::{OmissionPage, PlanView, page_size, split_page},
};

impl Control {
    pub async fn plan_newest(&self) -> Result<PlanView, ControlError> {
        let store = &self.shared.store;
        let plan = store.plan_newest().await?;
        let plan = plan.ok_or_else(|| {
            ControlError::NotFound(
                "no plan was made yet; the first follows the first model in service".into(),
            )
        })?;
        let planned = store.planned_between(plan.made_at, plan.horizon_end).await?;
        Ok(PlanView::new(plan, planned))
    }

    /// In order of instance.
    pub async fn omissions(
        &self,
        asked: u32,
        after: Option<&InstanceId>,
    ) -> Result<OmissionPage, ControlError> {
        let size = page_size(asked)?;
        let rows = self.shared.store.omissions_list(after, size + 1).await?;
        let (rows, next_page_token) = split_page(rows, size, |row| row.instance.to_string());
        Ok(OmissionPage { items: rows.into_iter().map(Into::into).collect(), next_page_token })
    }
}
