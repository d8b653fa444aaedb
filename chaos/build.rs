//! A template that is added or taken away is a reason to build anew: the compiler sees only those it already knows.

fn main() {
    println!("cargo::rerun-if-changed=templates");
}
