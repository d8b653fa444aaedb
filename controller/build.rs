//! The migrations are embedded: a change to them must rebuild the crate.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
