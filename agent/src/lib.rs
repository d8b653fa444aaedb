//! Beside each host: measure load, obey a wake, refuse when hot, report.
