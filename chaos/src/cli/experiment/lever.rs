//! `lever`.

use std::fmt::Write as _;

use crate::{
    cli::{args::Output, tell::tell},
    experiment::Verdict,
    local::{Pulled, pull},
};

pub(in crate::cli) async fn lever(output: Output) -> anyhow::Result<Verdict> {
    let pulled = pull().await?;
    tell(output, &pulled, || render(&pulled))?;
    Ok(Verdict::Held)
}

fn render(pulled: &[Pulled]) -> String {
    let mut text = String::new();
    for Pulled { dir, keeper, how } in pulled {
        writeln!(text, "{how}: the world of process {keeper} in {}", dir.display())
            .expect("text can be written to");
    }
    if pulled.is_empty() { "no world is kept on this machine\n".to_owned() } else { text }
}
