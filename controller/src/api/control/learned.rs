//! What the model was learned from: its versions, and the logs behind them.

use super::Control;
use crate::{
    api::{
        ControlError,
        view::{Items, ModelView, ModelWeightsView, SourceView, page_size},
    },
    store::ServeError,
};

impl Control {
    /// Versions, newest first.
    pub async fn models(&self, asked: u32) -> Result<Items<ModelView>, ControlError> {
        let rows = self.shared.store.models_list(page_size(asked)?).await?;
        Ok(Items { items: rows.into_iter().map(Into::into).collect() })
    }

    /// One version, with what it weighs.
    pub async fn model(&self, version: u64) -> Result<ModelWeightsView, ControlError> {
        let row = self.shared.store.model_get(version).await?;
        row.map(Into::into).ok_or_else(|| ServeError::Unknown(version).into())
    }

    /// Puts a version back in service and pins it: until it is unpinned, no newer one takes its place.
    pub async fn model_serve(&self, version: u64, by: &str) -> Result<ModelView, ControlError> {
        self.shared.store.model_serve(version, self.now(), by).await?;
        tracing::info!(version, by, "a version of the model was put in service and pinned");
        self.shared.signals.plan.notify_one();
        self.model(version).await.map(|view| view.model)
    }

    /// Lets newer versions serve again; the next training begins at once.
    pub async fn model_unpin(&self, by: &str) -> Result<ModelView, ControlError> {
        let version = self.shared.store.model_unpin(self.now(), by).await?;
        tracing::info!(version, by, "the model in service is no longer pinned");
        self.shared.signals.learn.notify_one();
        self.model(version).await.map(|view| view.model)
    }

    pub async fn sources(&self) -> Result<Items<SourceView>, ControlError> {
        let rows = self.shared.store.sources_list().await?;
        Ok(Items { items: rows.into_iter().map(Into::into).collect() })
    }
}
