//! A version of the model, and what it weighs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    model::{Fitted, features::NAMES, head::Head},
    store::ModelRow,
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelView {
    pub version: u64,
    /// `serving`, `superseded` or `rejected`.
    pub status: String,
    /// `fitted` or `rule`.
    pub kind: String,
    /// Put in service by an operator: no newer version takes its place until it is unpinned.
    pub pinned: bool,
    #[schema(value_type = String, format = DateTime)]
    pub trained_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub data_from: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub data_to: Option<Timestamp>,
    pub instances: u64,
    /// The rule it was fitted for; what a version of kind `rule` decides by.
    #[schema(value_type = Object)]
    pub rule: serde_json::Value,
    /// `origin` is where the weights come from: `training`, an earlier `version`, or `embedded`. `quality` is how good
    /// the weights are that this training fitted, on days they had not seen, whether or not they serve.
    #[schema(value_type = Object)]
    pub metrics: serde_json::Value,
    /// Why it was rejected, or why it has other weights than fresh ones; empty otherwise.
    pub detail: String,
}

/// A version with its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelWeightsView {
    #[serde(flatten)]
    pub model: ModelView,
    /// By head (`wake`, `within_1h`, `within_3h`, `within_24h`), then by feature; `intercept` is no feature. Empty for
    /// kind `rule` and for versions of long ago.
    pub weights: BTreeMap<String, BTreeMap<String, f64>>,
    /// What thresholds of the score cost and bring on the days fitted, the cheapest first.
    pub frontier: Vec<FrontierView>,
}

/// A threshold, and what it cost and brought.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FrontierView {
    pub threshold: f32,
    /// Hours awake without a user, per instance and day.
    pub idle_h_per_day: f64,
    /// Share of the arrivals that found their instance awake.
    pub recall: f64,
    pub wakes_per_day: f64,
}

impl From<ModelRow> for ModelWeightsView {
    fn from(mut row: ModelRow) -> Self {
        let fitted = row.fitted.take();
        let frontier = fitted.iter().flat_map(|fitted| &fitted.frontier).map(|point| FrontierView {
            threshold: point.threshold,
            idle_h_per_day: point.idle_h_per_day,
            recall: point.recall,
            wakes_per_day: point.wakes_per_day,
        });
        Self {
            frontier: frontier.collect(),
            weights: fitted.as_ref().map(weights).unwrap_or_default(),
            model: row.into(),
        }
    }
}

fn weights(fitted: &Fitted) -> BTreeMap<String, BTreeMap<String, f64>> {
    let heads = [
        ("wake", &fitted.wake),
        ("within_1h", &fitted.within_1h),
        ("within_3h", &fitted.within_3h),
        ("within_24h", &fitted.within_24h),
    ];
    let of = |head: &Head| {
        let named =
            NAMES.iter().zip(head.weights).map(|(name, weight)| ((*name).to_owned(), f64::from(weight)));
        named.chain([("intercept".to_owned(), f64::from(head.intercept))]).collect()
    };
    heads.into_iter().map(|(name, head)| (name.to_owned(), of(head))).collect()
}

impl From<ModelRow> for ModelView {
    fn from(row: ModelRow) -> Self {
        Self {
            version: row.version,
            status: row.status.as_str().to_owned(),
            kind: row.kind.as_str().to_owned(),
            pinned: row.pinned,
            trained_at: row.trained_at,
            data_from: row.data_from,
            data_to: row.data_to,
            instances: row.instances,
            rule: serde_json::to_value(&row.rule).expect("a rule is plain data"),
            metrics: serde_json::to_value(row.metrics).expect("figures are plain data"),
            detail: row.detail,
        }
    }
}
