//! Who is likely to come, from the model in service.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use reveille_proto::InstanceId;

use super::Control;
use crate::{
    api::{
        ControlError,
        view::{ForecastPage, ForecastView, page_size},
    },
    model::{HourProfile, Rule, forecast_span},
};

/// Longest span a forecast is asked for.
const WITHIN_MAX: SignedDuration = SignedDuration::from_hours(24 * 7);
const WITHIN_DEFAULT: SignedDuration = SignedDuration::from_hours(1);

/// Which span, and of whom.
#[derive(Debug, Clone, Default)]
pub struct ForecastQuery {
    /// Start of the span; none is now.
    pub at: Option<Timestamp>,
    /// Its length; none is one hour.
    pub within: Option<SignedDuration>,
    /// 0-1; less likely arrivals are left out.
    pub min_probability: f64,
    /// Only this instance.
    pub instance: Option<InstanceId>,
    /// 0 is the default.
    pub page_size: u32,
    pub after: Option<InstanceId>,
}

/// A version of the model with all its profiles, in order of instance.
#[derive(Debug)]
pub(super) struct Serving {
    version: u64,
    rule: Rule,
    profiles: Vec<(InstanceId, HourProfile)>,
}

impl Serving {
    fn profile(&self, instance: &InstanceId) -> Option<&HourProfile> {
        let at = self.profiles.binary_search_by(|(id, _)| id.cmp(instance)).ok()?;
        Some(&self.profiles[at].1)
    }

    fn after(&self, instance: Option<&InstanceId>) -> &[(InstanceId, HourProfile)] {
        let start = instance.map_or(0, |after| self.profiles.partition_point(|(id, _)| id <= after));
        &self.profiles[start..]
    }
}

/// A checked query.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) at: Timestamp,
    pub(super) within: SignedDuration,
    pub(super) min_probability: f64,
}

impl Control {
    /// In order of instance. What the model says nothing about is left out, unless it was asked for by name. A page of
    /// the fitted model may hold fewer than were asked for, or none, and yet not be the last.
    pub async fn forecasts(&self, query: &ForecastQuery) -> Result<ForecastPage, ControlError> {
        let span = self.span(query)?;
        let size = page_size(query.page_size)?;
        if let Some(page) = self.fitted(|fitted| fitted.forecasts(query, &span, size as usize)).await? {
            return page;
        }
        let serving = self.serving().await?;
        let (items, next_page_token) = match &query.instance {
            Some(instance) => (forecast_one(&serving, instance, &span)?, String::new()),
            None => forecast_page(&serving, query.after.as_ref(), size as usize, &span),
        };
        let within_s = span.within.as_secs() as u64;
        Ok(ForecastPage { items, next_page_token, model_version: serving.version, at: span.at, within_s })
    }

    fn span(&self, query: &ForecastQuery) -> Result<Span, ControlError> {
        let within = query.within.unwrap_or(WITHIN_DEFAULT);
        if within <= SignedDuration::ZERO || within > WITHIN_MAX {
            let problem = format!("is {within:#}; it must be above zero and at most {WITHIN_MAX:#}");
            return Err(ControlError::invalid("within", problem));
        }
        if !(0.0..=1.0).contains(&query.min_probability) {
            return Err(ControlError::invalid("min_probability", "must be within 0..=1"));
        }
        let at = query.at.unwrap_or_else(|| self.now());
        Ok(Span { at, within, min_probability: query.min_probability })
    }

    async fn serving(&self) -> Result<Arc<Serving>, ControlError> {
        let model = self.shared.store.model_serving().await?.ok_or_else(|| {
            ControlError::NotFound(
                "no model is in service yet; it is fitted from the logs, see `reveille train`".into(),
            )
        })?;
        // Held while loading: however many ask at once, the profiles are read once.
        let mut kept = self.serving.lock().await;
        if let Some(serving) = kept.as_ref().filter(|serving| serving.version == model.version) {
            return Ok(serving.clone());
        }
        let profiles = self.shared.store.profiles_of(model.version).await?;
        let serving = Arc::new(Serving { version: model.version, rule: model.rule, profiles });
        *kept = Some(serving.clone());
        Ok(serving)
    }
}

fn forecast_one(
    serving: &Serving,
    instance: &InstanceId,
    span: &Span,
) -> Result<Vec<ForecastView>, ControlError> {
    let silent = |why: String| ControlError::NotFound(format!("there is no forecast for {instance}: {why}"));
    let profile = serving.profile(instance).ok_or_else(|| silent("the model does not know it".into()))?;
    let forecast = forecast_span(profile, &serving.rule, span.at, span.within);
    let forecast = forecast.map_err(|abstain| silent(abstain.to_string()))?;
    let view = ForecastView {
        instance_id: instance.to_string(),
        probability: forecast.probability,
        why: forecast.why.to_string(),
    };
    Ok(vec![view])
}

fn forecast_page(
    serving: &Serving,
    after: Option<&InstanceId>,
    size: usize,
    span: &Span,
) -> (Vec<ForecastView>, String) {
    let mut items: Vec<ForecastView> = Vec::new();
    for (instance, profile) in serving.after(after) {
        let Ok(forecast) = forecast_span(profile, &serving.rule, span.at, span.within) else { continue };
        if forecast.probability < span.min_probability {
            continue;
        }
        if items.len() == size {
            let token = items.last().map(|item| item.instance_id.clone()).unwrap_or_default();
            return (items, token);
        }
        let (probability, why) = (forecast.probability, forecast.why.to_string());
        items.push(ForecastView { instance_id: instance.to_string(), probability, why });
    }
    (items, String::new())
}
