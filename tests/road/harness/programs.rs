//! The three programs, built once a run in the profile and the target directory of the tests themselves.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

/// What cargo tells a test about its own package; a nested cargo would take it for a change and build anew.
const OF_THIS_TEST: [&str; 5] =
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_PRIMARY_PACKAGE", "CARGO_CRATE_", "CARGO_BIN_"];

/// Where the programs are.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) reveille: PathBuf,
    pub(crate) agent: PathBuf,
    pub(crate) chaos: PathBuf,
}

impl Programs {
    /// The directory that holds all three.
    pub(crate) fn dir(&self) -> &Path {
        self.reveille.parent().expect("a program lies in a directory")
    }
}

/// The programs; builds them first if this is the first call.
pub(crate) fn programs() -> &'static Programs {
    static BUILT: OnceLock<Programs> = OnceLock::new();
    BUILT.get_or_init(build)
}

/// `--test road` is there for its features only: with it cargo resolves them as for `cargo test --workspace`, and
/// what that has compiled is not compiled again.
fn build() -> Programs {
    let profile = profile_dir();
    let name = profile.file_name().and_then(|name| name.to_str()).expect("a profile has a name");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(crate::root())
        .args(["build", "--workspace", "--bins", "--test", "road", "--locked"])
        .args(["--message-format", "json-render-diagnostics"])
        .args(["--profile", if name == "debug" { "dev" } else { name }])
        .arg("--target-dir")
        .arg(target_dir(&profile))
        .stdin(Stdio::null());
    let foreign = |key: &String| OF_THIS_TEST.iter().any(|prefix| key.starts_with(prefix));
    for key in std::env::vars().map(|(key, _)| key).filter(foreign) {
        cargo.env_remove(key);
    }
    let built = cargo.output().expect("cargo can be started");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "failed to build the programs ({}):\n{said}", built.status);
    let mut made = executables(&String::from_utf8_lossy(&built.stdout));
    let mut take = |name: &str| made.remove(name).unwrap_or_else(|| panic!("cargo built no {name}:\n{said}"));
    Programs { reveille: take("reveille"), agent: take("reveille-agent"), chaos: take("reveille-chaos") }
}

/// Where cargo put this test: `PROFILE/deps/road-HASH`.
fn profile_dir() -> PathBuf {
    let own = std::env::current_exe().expect("a test knows its own path");
    own.ancestors().nth(2).expect("a test lies in PROFILE/deps").to_owned()
}

/// The nearest directory above that cargo has marked as its own.
fn target_dir(profile: &Path) -> PathBuf {
    let marked = |dir: &&Path| dir.join("CACHEDIR.TAG").exists();
    let above = profile.ancestors().skip(1).find(marked).or(profile.parent());
    above.expect("a profile lies in a target directory").to_owned()
}

/// Binaries by name from cargo's messages.
fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    let binary = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let target = &message["target"];
        (target["kind"] == serde_json::json!(["bin"])).then_some(())?;
        Some((target["name"].as_str()?.to_owned(), message["executable"].as_str()?.into()))
    };
    messages.lines().filter_map(binary).collect()
}
