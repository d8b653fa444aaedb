//! The API's views: what a wake, a host or a plan looks like from outside. Times are RFC 3339, in UTC.

mod page;

mod wake;

mod host;

mod controller;

mod instance;

mod forecast;

mod explain;

mod plan;

mod notification;

mod policy;

mod model;

mod source;

pub use controller::ControllerView;
pub use explain::{ExplainView, ReasonView, SlotView};
pub use forecast::{ForecastPage, ForecastView};
pub use host::HostView;
pub use instance::{InstancePage, InstanceView};
pub use model::{FrontierView, ModelView, ModelWeightsView};
pub use notification::{NotificationPage, NotificationView};
pub use page::{Items, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, Page, page_size, split_page};
pub use plan::{OmissionPage, OmissionView, PlanView, PlannedView};
pub use policy::{PolicyChangeView, PolicyEntryView, PolicySetBody, PolicyView};
pub use source::SourceView;
pub use wake::{LateResultView, TransitionView, WakeBody, WakePage, WakeStoryView, WakeView};
