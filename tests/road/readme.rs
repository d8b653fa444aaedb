//! Every command of the README runs: here, in its order, or in `.ci/run`.

use std::{fs, path::Path, time::Duration};

use tokio::time::timeout;

use crate::harness::{Process, Stage, free_ports, kill_instances, programs, until};

/// Where the README puts its sandbox, and where that has its controller. Somebody may have one there.
const SANDBOX: &str = "/tmp/reveille-sandbox";
const ADDRESS: &str = "127.0.0.1:7418";
const INSTANCES: u16 = 20;

/// `wake --wait` waits until the CPU allows it.
const COMMAND_S_MAX: u64 = 1200;
const READY_S_MAX: u64 = 60;

/// `reveille` before the README has said where the controller is.
macro_rules! asked {
    ($rest:literal) => {
        concat!(
            "reveille --address http://127.0.0.1:7418 ",
            "--token-file /tmp/reveille-sandbox/controller/operator.token ",
            $rest
        )
    };
}

/// How a command of the README is run.
#[derive(Debug, Clone, Copy)]
enum How {
    /// Here; it must end with 0.
    Here,
    /// Here, and what it exports holds for those after it.
    Export,
    /// Here, where there is a container engine; elsewhere it must say that it was skipped.
    InContainers,
    /// Here in the background, until this command ends with 0; stopped at the end.
    Background(&'static str),
    /// Here, as soon as this command ends with 0: the README says that it takes seconds.
    Once(&'static str),
    /// By the harness, which builds the same programs in the profile of the tests.
    Harness,
    /// By `.ci/run`.
    Ci,
}

use How::{Background, Ci, Export, Harness, Here, InContainers, Once};

/// The README's commands in their order.
const COMMANDS: &[(&str, How)] = &[
    ("cargo demo", Ci),
    ("cargo test --workspace", Ci),
    ("cargo build --release --bins", Harness),
    ("export PATH=\"$PWD/target/release:$PATH\"", Export),
    ("reveille-chaos sandbox /tmp/reveille-sandbox", Here),
    ("reveille serve --config /tmp/reveille-sandbox/controller.toml &", Background(asked!("hosts"))),
    (
        "reveille-agent --config /tmp/reveille-sandbox/agent.toml &",
        Background(asked!("hosts --output json | grep -q '\"connected\": *true'")),
    ),
    (asked!("report"), Here),
    ("export REVEILLE_ADDRESS=http://127.0.0.1:7418", Export),
    ("export REVEILLE_TOKEN_FILE=/tmp/reveille-sandbox/controller/operator.token", Export),
    ("reveille plan", Once("reveille plan")),
    ("reveille wakes", Here),
    ("reveille hosts", Here),
    ("reveille forecast", Here),
    ("reveille wake dev1 --wait", Here),
    ("reveille policy set cpu_ceiling_percent 60", Here),
    ("reveille policy unset cpu_ceiling_percent", Here),
    ("reveille policy changes", Here),
    ("reveille wakes --output json", Here),
    ("reveille train --config /tmp/reveille-sandbox/controller.toml", Here),
    ("reveille models", Here),
    ("reveille models show 1", Here),
    ("reveille models serve 1", Here),
    ("reveille models unpin", Here),
    ("reveille mine --instance-from vhost /tmp/reveille-sandbox/access.log", Here),
    ("reveille mine --instance-from vhost --output json /tmp/reveille-sandbox/access.log", Here),
    ("reveille backtest controller/fixtures/presence_small.csv.gz --rule daily --min-days 2,4,8", Here),
    (
        "reveille backtest controller/fixtures/presence_small.csv.gz --idle-budget-h 2 --after 2025-01-01",
        Here,
    ),
    ("reveille bench forecast --instances 10000 --repeats 1 --queries 20", Here),
    ("reveille bench queue --hosts 50 --wakes 500 --later 200 --peer-s 1", Here),
    ("echo 'idle_budget_h = 4' > /tmp/reveille-sandbox/new.toml", Here),
    (
        "reveille whatif --config /tmp/reveille-sandbox/controller.toml --policy /tmp/reveille-sandbox/new.toml",
        Here,
    ),
    ("reveille config show", Here),
    ("reveille config check --config /tmp/reveille-sandbox/controller.toml", Here),
    ("reveille-agent --config /tmp/reveille-sandbox/agent.toml config check", Here),
    ("reveille notifications list", Here),
    ("reveille notifications list --state given_up --output json", Here),
    ("reveille-chaos run --fault http-error --share 0.2 --hours 12", Here),
    ("reveille-chaos run --fault slow-wake --factor 4 --hours 12", Here),
    ("reveille-chaos bench crash --kills 40 --wakes 60", Here),
    ("reveille-chaos bench failover --rounds 1", InContainers),
    ("reveille-chaos bench points --database sqlite --every 60", Here),
    ("reveille-chaos bench throttle --seeds 2", Here),
    ("reveille-chaos sim --seeds 0..20", Here),
    ("reveille-chaos replay --seed 7 --html /tmp/reveille-seed-7.html", Here),
    ("reveille-chaos sim --seeds 0..1000 --budget-s 20 --html /tmp/reveille-sweep.html", Here),
    ("reveille-chaos lineage --seed 3 --calm --budget-s 20", Here),
];

/// The lines of all `sh` blocks, continued ones joined, without comments.
fn commands(readme: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "```sh" {
            continue;
        }
        let block: Vec<&str> = lines.by_ref().take_while(|line| line.trim() != "```").collect();
        let joined = block.join("\n").replace("\\\n", " ");
        let said = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        found.extend(said.map(str::to_owned));
    }
    found
}

fn read(name: &str) -> String {
    fs::read_to_string(crate::root().join(name))
        .unwrap_or_else(|error| panic!("failed to read {name}: {error}"))
}

#[test]
fn blocks_of_other_kinds_are_no_commands() {
    let text = "```sh\na \\\n  b\n# no\n\nc &\n```\n```toml\nd = 1\n```\n```text\ne\n```\n```sh\nf\n```\n";
    assert_eq!(commands(text), ["a    b", "c &", "f"]);
}

#[test]
fn the_table_and_the_readme_hold_the_same_commands() {
    let told = commands(&read("README.md"));
    let known: Vec<&str> = COMMANDS.iter().map(|(command, _)| *command).collect();
    assert_eq!(told, known, "the commands of README.md and of this test, in their order");
}

#[test]
fn what_is_left_to_ci_is_run_by_ci() {
    let ci = read(".ci/run");
    for (command, _) in COMMANDS.iter().filter(|(_, how)| matches!(how, Ci)) {
        let runs = |line: &str| {
            line == *command || line.strip_prefix(command).is_some_and(|rest| rest.starts_with(' '))
        };
        assert!(ci.lines().any(runs), ".ci/run has no line `{command}`");
    }
}

/// A reader who follows the README: a directory that looks like the repository, and a shell.
struct Reader {
    background: Vec<Process>,
    exports: Vec<String>,
    sandbox: String,
    port_base: u16,
    stage: Stage,
}

impl Reader {
    /// `target/release` is where the harness has built; what the commands read is the repository's.
    async fn begin() -> Self {
        let stage = Stage::enter().await;
        let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, stage.path(name)).expect("a link");
        link(&crate::root().join("controller"), "controller");
        fs::create_dir(stage.path("target")).expect("a directory");
        link(programs().dir(), "target/release");
        let sandbox = stage.path("sandbox").display().to_string();
        let port_base = free_ports(INSTANCES + 2) + 2;
        Self { background: Vec::new(), exports: Vec::new(), sandbox, port_base, stage }
    }

    /// The same command for another directory and other ports.
    fn moved(&self, command: &str) -> String {
        let address = format!("127.0.0.1:{}", self.port_base - 2);
        let moved = command.replace(SANDBOX, &self.sandbox).replace(ADDRESS, &address);
        if command.starts_with("reveille-chaos sandbox ") {
            return format!("{moved} --port-base {}", self.port_base);
        }
        moved
    }

    fn shell(&self, command: &str) -> tokio::process::Command {
        let mut shell = self.stage.command("bash");
        let script = [&self.exports[..], &[self.moved(command)]].concat().join("\n");
        shell.arg("-euo").arg("pipefail").arg("-c").arg(script).kill_on_drop(true);
        // A machine that others use too still has to wake the one instance that is waited for.
        if command.starts_with("reveille-agent ") {
            shell.env("REVEILLE_AGENT__GUARD__CPU_CEILING_PERCENT", "100");
        } else {
            shell.env("REVEILLE_POLICY__CPU_CEILING_PERCENT", "95").env("REVEILLE_WAKE__ATTEMPTS_MAX", "50");
        }
        shell
    }

    async fn ends_well(&self, command: &str) -> Result<(), String> {
        let ended = timeout(Duration::from_secs(COMMAND_S_MAX), self.shell(command).output()).await;
        let ended = ended.map_err(|_| format!("`{command}` takes longer than {COMMAND_S_MAX} s"))?;
        let ended = ended.expect("bash starts");
        let said = [ended.stdout.as_slice(), &ended.stderr].concat();
        let told = || format!("`{command}` ended with {}:\n{}", ended.status, String::from_utf8_lossy(&said));
        if ended.status.success() { Ok(()) } else { Err(told()) }
    }

    async fn run(&self, command: &str) {
        if let Err(why) = self.ends_well(command).await {
            panic!("{why}");
        }
    }

    async fn once(&self, command: &str) {
        until(command, READY_S_MAX, async || self.ends_well(command).await).await;
    }

    async fn follow(&mut self, command: &str, how: How) {
        match how {
            Here => self.run(command).await,
            InContainers => {
                if let Err(why) = self.ends_well(command).await {
                    let skipped = why.lines().find(|line| line.starts_with("SKIPPED: "));
                    eprintln!("{}", skipped.unwrap_or_else(|| panic!("{why}")));
                }
            }
            Export => {
                self.run(command).await;
                self.exports.push(self.moved(command));
            }
            Background(ready) => {
                let shell = self.shell(command.trim_end_matches('&'));
                let name = format!("background-{}", self.background.len() + 1);
                self.background.push(self.stage.start(&name, shell));
                self.once(ready).await;
            }
            Once(level) => {
                self.once(level).await;
                self.run(command).await;
            }
            Harness => {
                programs();
            }
            Ci => {}
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.background.clear();
        kill_instances(&Path::new(&self.sandbox).join("agent"));
    }
}

#[tokio::test]
async fn the_commands_of_the_readme_run_in_their_order() {
    let mut reader = Reader::begin().await;
    for (command, how) in COMMANDS {
        reader.follow(command, *how).await;
    }
    for process in &mut reader.background {
        assert_eq!(process.ended(), None, "what runs in the background still runs");
    }
}
