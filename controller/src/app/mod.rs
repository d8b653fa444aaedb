//! All wiring: config -> build -> run -> drain.
