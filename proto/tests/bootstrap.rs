//! The committed code in `src/gen` is what the `.proto` files say. `REVEILLE_BLESS=1` writes it anew.

use std::{error::Error, fs, path::Path};

const FILES: [&str; 3] = ["reveille/v1/types.proto", "reveille/v1/fleet.proto", "reveille/v1/control.proto"];
const GENERATED: &str = "reveille.v1.rs";

#[test]
fn generated_code_matches_the_proto_files() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = tempfile::tempdir()?;
    let descriptors = protox::compile(FILES, [root.join("proto")])?;
    tonic_prost_build::configure()
        .btree_map(".")
        .codec_path("crate::codec::SmallBuffers")
        .emit_rerun_if_changed(false)
        .out_dir(out.path())
        .compile_fds(descriptors)?;
    let fresh = fs::read_to_string(out.path().join(GENERATED))?;
    let committed_path = root.join("src/gen").join(GENERATED);
    if std::env::var_os("REVEILLE_BLESS").is_some() {
        fs::write(&committed_path, &fresh)?;
    }
    let committed = fs::read_to_string(&committed_path)?;
    assert!(
        committed == fresh,
        "{} is out of date; run REVEILLE_BLESS=1 cargo test -p reveille-proto",
        committed_path.display()
    );
    Ok(())
}
