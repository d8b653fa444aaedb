//! `reveille-chaos sandbox` and `instance`.

use std::time::Duration;

use anyhow::Context as _;
use reveille_proto::clock::Clock;

use super::args::{InstanceArgs, Output, SandboxArgs};
use crate::{
    experiment::Verdict,
    sandbox::{self, Sandbox},
};

/// Writes the files and says what to do with them.
pub(super) fn write(args: SandboxArgs, output: Output) -> anyhow::Result<Verdict> {
    let sandbox = Sandbox {
        dir: args.dir,
        instances: args.instances,
        port_base: args.port_base,
        burn_s: args.burn_s,
        instance_program: std::env::current_exe().context("failed to find this program")?,
        now: Clock::system().now(),
    };
    sandbox::write(&sandbox)?;
    let dir = sandbox.dir.display();
    match output {
        Output::Json => anstream::println!("{}", serde_json::json!({ "dir": sandbox.dir })),
        Output::Table => anstream::println!(
            "{dir} is ready: {} instances, asleep, and a log in which their users come about now.\n\n  \
             reveille serve --config {dir}/controller.toml\n  \
             reveille-agent --config {dir}/agent.toml\n  \
             reveille --address http://127.0.0.1:{} --token-file {dir}/controller/operator.token report",
            sandbox.instances,
            sandbox.port_base - 2
        ),
    }
    Ok(Verdict::Held)
}

/// Serves until it is stopped.
pub(super) async fn serve(args: InstanceArgs) -> anyhow::Result<Verdict> {
    sandbox::serve(args.name, args.listen, Duration::from_secs(args.burn_s.into())).await?;
    Ok(Verdict::Held)
}
