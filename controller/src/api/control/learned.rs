//! What the model was learned from: its versions, and the logs behind them.

use super::Control;
use crate::api::{
    ControlError,
    view::{Items, ModelView, SourceView, page_size},
};

impl Control {
    /// Versions, newest first.
    pub async fn models(&self, asked: u32) -> Result<Items<ModelView>, ControlError> {
        let rows = self.shared.store.models_list(page_size(asked)?).await?;
        Ok(Items { items: rows.into_iter().map(Into::into).collect() })
    }

    pub async fn sources(&self) -> Result<Items<SourceView>, ControlError> {
        let rows = self.shared.store.sources_list().await?;
        Ok(Items { items: rows.into_iter().map(Into::into).collect() })
    }
}
