//! The API from outside its socket: a real store, every layer of the router.

mod desk;

mod auth;

mod refusals;

mod wakes;

mod fleet;

mod policy;

mod forecasts;

mod models;

mod notifications;

mod probes;

mod contract;

mod grpc;

mod trial;
