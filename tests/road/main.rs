//! The road seen from outside: real processes on loopback.
