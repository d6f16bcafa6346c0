//! `spore demo`: a network on pretended hosts, from nothing to an elder that
//! joins. Each step is a command as a person would type it, run as that.

mod folder;

use super::args::DemoOptions;
use super::pretended::{failure, unless_interrupted, written};
use super::{Exit, Failure, terminal};
use crate::pretend::{Fleet, Host, here};
use crate::render::{Style, Tone};
use crate::resource::HostName;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use tokio::process::Command;

/// Nodes that are pretended don't die seconds after they have started, so they
/// aren't watched for so long.
const APPLY: &[&str] = &["apply", "--yes", "--timeout", "settle=0.5"];
const ELDERS: [u8; 2] = [1, 2];
const MEMBERS: [u8; 1] = [3];
/// It joins later.
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
        self.say("Three hosts, pretended by this process: SSH servers on 127.0.0.1 with a directory for a disk.\nA folder says what network they are to be. Have a look at it:");
        self.typed(&self.cd());
        self.typed("export SPORE_KNOWN_HOSTS=known_hosts");
        self.show("cat cloud.yaml shapes.yaml").await?;
        self.step("1. What would have to be done? `plan` looks, and changes nothing.").await;
        self.spore(&["plan"], &[2]).await?;
        self.step("2. `apply` does exactly that: elders come up first, the others when those are healthy.")
            .await;
        self.spore(APPLY, &[0]).await?;
        self.step("3. The hosts say themselves what is so, no file keeps it: nothing is left to do.").await;
        self.spore(&["plan"], &[0]).await?;
        self.step("4. Somebody meddles with the hosts.").await;
        self.on(1, "chmod 644 /tb/config/keys/swarm.key").await?;
        self.on(2, "systemctl stop tau@elders").await?;
        self.on(3, "sed -i 's/ipfs: 5252/ipfs: 5253/' /tb/config/members.yaml").await?;
        self.step(
            "5. `plan` finds it. The node on h3 still runs with what it was started with: no restart is due.",
        )
        .await;
        self.spore(&["plan"], &[2]).await?;
        self.step("6. `apply` mends that, and touches nothing else.").await;
        self.spore(APPLY, &[0]).await?;
        self.step("7. Another elder joins: its host gets a file, and the network a name.").await;
        let before = self.starts().await?;
        folder::add_host(&self.folder, NEWCOMER, "elders", self.host(NEWCOMER)?.address())
            .map_err(written)?;
        self.show("sed 's/key: .*/key: (not shown)/' hosts/h4.yaml").await?;
        self.show("sed -i 's/elders: .h1, h2./elders: [h1, h2, h4]/' cloud.yaml").await?;
        self.spore(&["plan"], &[2]).await?;
        self.step("8. The others learn of it, and none of them restarts.").await;
        self.spore(APPLY, &[0]).await?;
        self.spore(&["plan"], &[0]).await?;
        let after = self.starts().await?;
        if before != after {
            return Err(
                Failure::new("a node was restarted", "this is a defect of spore: please report it").into()
            );
        }
        self.say("h1 and h3 still run as started in step 2, and h2 in step 6: none was restarted for h4.");
        Ok(())
    }

    /// The folder and the hosts stay until somebody ends it.
    async fn keep(&self) {
        self.say(&format!(
            "The hosts stay until Ctrl-C. In another terminal:\n\n    {}\n    export SPORE_KNOWN_HOSTS=known_hosts\n    {} plan\n\nEdit the YAML and plan again. Their disks are in {}.",
            self.cd(),
            self.spore.display(),
            self.fleet.directory().join("hosts").display()
        ));
        std::future::pending::<()>().await;
    }

    /// Which start each node is in.
    async fn starts(&self) -> miette::Result<Vec<String>> {
        let mut starts = Vec::new();
        for number in ELDERS.into_iter().chain(MEMBERS) {
            let script = "systemctl show -p InvocationID -- 'tau@*.service' | grep InvocationID";
            let out = self.host(number)?.sh(script).await.map_err(written)?;
            starts.push(String::from_utf8_lossy(&out.stdout).into_owned());
        }
        Ok(starts)
    }

    fn host(&self, number: u8) -> miette::Result<&Host> {
        let missing =
            || Failure::new(format!("there is no h{number}"), "this is a defect of spore: please report it");
        Ok(self.fleet.host(&name(number)?).ok_or_else(missing)?)
    }

    /// Runs `spore` as a person would, in the folder.
    async fn spore(&self, words: &[&str], expected: &[i32]) -> miette::Result<()> {
        self.typed(&format!("spore {}", words.join(" ")));
        let colour = if self.style == Style::Colour { "always" } else { "never" };
        let mut command = Command::new(&self.spore);
        command.args(words).args(["--color", colour]).env("SPORE_KNOWN_HOSTS", "known_hosts");
        let status = self.run(command.env_remove("SPORE_NETWORK")).await?;
        if status.code().is_some_and(|code| expected.contains(&code)) {
            return Ok(());
        }
        let help = "this is a defect of spore: please report it, with what is above";
        Err(Failure::new(format!("`spore {}` ended with {status}", words.join(" ")), help).into())
    }

    /// Runs a line in the folder, as its owner would.
    async fn show(&self, line: &str) -> miette::Result<()> {
        self.typed(line);
        self.run(Command::new("/bin/sh").args(["-c", line])).await.map(drop)
    }

    async fn run(&self, command: &mut Command) -> miette::Result<std::process::ExitStatus> {
        // Ctrl-C is ours: it ends whatever runs.
        let command =
            command.current_dir(&self.folder).stdin(Stdio::null()).process_group(0).kill_on_drop(true);
        command.status().await.map_err(|error| written(error).into())
    }

    /// Runs a line on a host, as somebody who is root there.
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
            // Where nobody types, nobody is waited for.
            let _ = tokio::task::spawn_blocking(terminal::wait_for_enter).await;
        }
        self.say(text);
    }
}

fn name(number: u8) -> miette::Result<HostName> {
    format!("h{number}").parse().map_err(|error: crate::resource::InvalidName| {
        Failure::because("no host can be made", None, error).into()
    })
}
