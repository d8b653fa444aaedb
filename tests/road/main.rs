//! The road seen from outside: real processes on loopback, and the layout of the house.

mod layout;
