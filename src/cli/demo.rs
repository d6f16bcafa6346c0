//! `spore demo`: shows a network on simulated hosts, from its first apply to a new elder.
//! Each step runs the command that it shows, as a separate process.

mod folder;

use super::args::DemoOptions;
use super::pretended::{failure, unless_interrupted, written};
use super::{CommandError, Exit, terminal};
use crate::pretend::{Fleet, SimulatedHost, here};
use crate::render::{Style, Tone};
use crate::resource::HostName;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use tokio::process::Command;

/// A simulated node never exits seconds after its start, so a short settle time
/// is enough.
const APPLY: &[&str] = &["apply", "--yes", "--timeout", "settle=0.5"];
const ELDERS: [u8; 2] = [1, 2];
const MEMBERS: [u8; 1] = [3];
/// The elder that joins in step 7.
const NEWCOMER: u8 = 4;

pub(crate) async fn run(options: &DemoOptions, style: Style) -> miette::Result<Exit> {
    unless_interrupted(async {
        let demo = Demo::begin(options, style).await?;
        demo.steps().await?;
        if options.keep {
            demo.keep().await;
        }
        Ok(Exit::Done)
    })
    .await
}

struct Demo {
    fleet: Fleet,
    folder: PathBuf,
    spore: PathBuf,
    style: Style,
    pause: bool,
}

impl Demo {
    async fn begin(options: &DemoOptions, style: Style) -> miette::Result<Self> {
        let mut fleet = Fleet::begin().map_err(failure)?;
        let spore = std::env::current_exe().map_err(|error| failure(error.into()))?;
        let folder = fleet.directory().join("network");
        folder::write(&folder, here(), &fleet.user_key().map_err(failure)?).map_err(written)?;
        for number in ELDERS.into_iter().chain(MEMBERS).chain([NEWCOMER]) {
            fleet.add(&name(number)?, here()).await.map_err(failure)?;
        }
        fs::write(folder.join("known_hosts"), fleet.known_hosts()).map_err(written)?;
        let demo = Self { fleet, folder, spore, style, pause: options.pause };
        for (number, shape) in
            ELDERS.map(|n| (n, "elders")).into_iter().chain(MEMBERS.map(|n| (n, "members")))
        {
            folder::add_host(&demo.folder, number, shape, demo.host(number)?.address()).map_err(written)?;
        }
        Ok(demo)
    }

    async fn steps(&self) -> miette::Result<()> {
        self.say("This process simulates three hosts: SSH servers on 127.0.0.1, each with a directory as its disk.\nA folder describes the network that they should form:");
        self.typed(&self.cd());
        self.typed("export SPORE_KNOWN_HOSTS=known_hosts");
        self.show("cat cloud.yaml shapes.yaml").await?;
        self.step("1. `plan` shows what has to be done, and changes nothing.").await;
        self.spore(&["plan"], &[2]).await?;
        self.step("2. `apply` does exactly that: the elders start first, the other nodes once the elders are healthy.")
            .await;
        self.spore(APPLY, &[0]).await?;
        self.step(
            "3. There is no state file: the hosts are the only source of truth. Nothing is left to do.",
        )
        .await;
        self.spore(&["plan"], &[0]).await?;
        self.step("4. Let's change some things by hand.").await;
        self.on(1, "chmod 644 /tb/config/keys/swarm.key").await?;
        self.on(2, "systemctl stop tau@elders").await?;
        self.on(3, "sed -i 's/ipfs: 5252/ipfs: 5253/' /tb/config/members.yaml").await?;
        self.step(
            "5. `plan` finds the drift. The node on h3 still runs with its original configuration, so it needs no restart.",
        )
        .await;
        self.spore(&["plan"], &[2]).await?;
        self.step("6. `apply` fixes the drift, and touches nothing else.").await;
        self.spore(APPLY, &[0]).await?;
        self.step("7. To add an elder, write a file for its host and add the host's name to the elders.")
            .await;
        let before = self.starts().await?;
        folder::add_host(&self.folder, NEWCOMER, "elders", self.host(NEWCOMER)?.address())
            .map_err(written)?;
        self.show("sed 's/key: .*/key: (not shown)/' hosts/h4.yaml").await?;
        self.show("sed -i 's/elders: .h1, h2./elders: [h1, h2, h4]/' cloud.yaml").await?;
        self.spore(&["plan"], &[2]).await?;
        self.step("8. `apply` adds the new elder to the others' configurations without restarting them.")
            .await;
        self.spore(APPLY, &[0]).await?;
        self.spore(&["plan"], &[0]).await?;
        let after = self.starts().await?;
        if before != after {
            let help = "this is a bug in spore: please report it";
            return Err(CommandError::new("adding h4 restarted another node", help).into());
        }
        self.say("h1 and h3 have been running since step 2, and h2 since step 6: adding h4 restarted none of them.");
        Ok(())
    }

    /// Keeps the folder and the hosts until the user interrupts the demo.
    async fn keep(&self) {
        self.say(&format!(
            "The hosts stay up until you press Ctrl-C. In another terminal:\n\n    {}\n    export SPORE_KNOWN_HOSTS=known_hosts\n    {} plan\n\nEdit the YAML and plan again. The hosts' disks are in {}.",
            self.cd(),
            self.spore.display(),
            self.fleet.directory().join("hosts").display()
        ));
        std::future::pending::<()>().await;
    }

    /// Returns the invocation id of each node, which changes when the node is restarted.
    async fn starts(&self) -> miette::Result<Vec<String>> {
        let mut starts = Vec::new();
        for number in ELDERS.into_iter().chain(MEMBERS) {
            let script = "systemctl show -p InvocationID -- 'tau@*.service' | grep InvocationID";
            let out = self.host(number)?.sh(script).await.map_err(written)?;
            starts.push(String::from_utf8_lossy(&out.stdout).into_owned());
        }
        Ok(starts)
    }

    fn host(&self, number: u8) -> miette::Result<&SimulatedHost> {
        let missing = || {
            CommandError::new(
                format!("there is no host h{number}"),
                "this is a bug in spore: please report it",
            )
        };
        Ok(self.fleet.host(&name(number)?).ok_or_else(missing)?)
    }

    /// Shows a `spore` command and runs it in the folder. An exit code that isn't
    /// `expected` ends the demo with an error.
    async fn spore(&self, words: &[&str], expected: &[i32]) -> miette::Result<()> {
        self.typed(&format!("spore {}", words.join(" ")));
        let colour = if self.style == Style::Colour { "always" } else { "never" };
        let mut command = Command::new(&self.spore);
        command.args(words).args(["--color", colour]).env("SPORE_KNOWN_HOSTS", "known_hosts");
        // The simulated hosts are on this machine, whatever the user's configuration says about it.
        command.env("SPORE_NO_SSH_CONFIG", "true");
        let status = self.run(command.env_remove("SPORE_NETWORK")).await?;
        if status.code().is_some_and(|code| expected.contains(&code)) {
            return Ok(());
        }
        let help = "this is a bug in spore: please report it, and include the output above";
        Err(CommandError::new(format!("`spore {}` failed with {status}", words.join(" ")), help).into())
    }

    /// Shows a shell command and runs it in the folder.
    async fn show(&self, line: &str) -> miette::Result<()> {
        self.typed(line);
        self.run(Command::new("/bin/sh").args(["-c", line])).await.map(drop)
    }

    async fn run(&self, command: &mut Command) -> miette::Result<std::process::ExitStatus> {
        // The command runs in a separate process group, so that Ctrl-C reaches only the
        // demo. The demo then drops the command, which kills it.
        let command =
            command.current_dir(&self.folder).stdin(Stdio::null()).process_group(0).kill_on_drop(true);
        command.status().await.map_err(|error| written(error).into())
    }

    /// Shows a shell command and runs it on a host, as root.
    async fn on(&self, number: u8, line: &str) -> miette::Result<()> {
        terminal::out(&format!("{} {line}\n", self.style.paint(Tone::Strong, format!("root@h{number}:~#"))));
        let script = line.replace(" /tb/", " \"$SPORE_ROOT\"/tb/");
        let out = self.host(number)?.sh(&script).await.map_err(written)?;
        terminal::out(&String::from_utf8_lossy(&[out.stdout, out.stderr].concat()));
        Ok(())
    }

    fn cd(&self) -> String {
        let folder = self.folder.to_string_lossy();
        format!("cd {}", shlex::try_quote(&folder).unwrap_or_default())
    }

    fn typed(&self, line: &str) {
        terminal::out(&format!("{} {line}\n", self.style.paint(Tone::Strong, "$")));
    }

    fn say(&self, text: &str) {
        terminal::out(&format!("\n{}\n", self.style.paint(Tone::Good, text)));
    }

    async fn step(&self, text: &str) {
        if self.pause {
            // If standard input isn't a terminal, this may return at once, and the demo
            // continues.
            let _ = tokio::task::spawn_blocking(terminal::wait_for_enter).await;
        }
        self.say(text);
    }
}

fn name(number: u8) -> miette::Result<HostName> {
    format!("h{number}").parse().map_err(|error: crate::resource::InvalidName| {
        CommandError::because("cannot name the host", None, Some(error.to_string())).into()
    })
}
