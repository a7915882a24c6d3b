//! `lab`: real hosts on this machine to rehearse on.

use std::net::{IpAddr, Ipv4Addr};

use clap::{Args, Subcommand};
use standfast_contract::Component;

use super::super::{
    CliError,
    args::{BlueprintArgs, Global},
    exit, render,
    session::load,
    terminal,
};
use crate::{
    blueprint::Blueprint,
    lab::{HostState, HostStatus, Lab, LabError, LabEvent, LabHost, LabSpec, Roots},
};

/// The login user of lab hosts when the blueprint names none.
const USER_DEFAULT: &str = "deploy";

#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  sudo standfast lab up shop.yaml\n  sudo standfast --lab apply shop.yaml\n  sudo standfast lab power-off web1\n  \
                  sudo standfast lab ssh lb1 -- systemctl status haproxy\n  sudo standfast lab down\n\nNeeds root on Linux with systemd-nspawn \
                  and mmdebstrap. docs/lab.md says what a rehearsal can show."
)]
pub struct LabArgs {
    #[command(subcommand)]
    command: LabCommand,
}

/// Which lab: the only one there is, when none is named.
#[derive(Args, Debug, Clone)]
struct Which {
    /// The lab's name, which is the stack's [default: the only lab there is]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

#[derive(Subcommand, Debug)]
enum LabCommand {
    /// Make the blueprint's hosts on this machine; running ones are kept
    Up {
        #[command(flatten)]
        blueprint: BlueprintArgs,
    },
    /// The lab's hosts
    Status {
        #[command(flatten)]
        which: Which,
    },
    /// Pull a host's power plug
    PowerOff {
        host: String,
        #[command(flatten)]
        which: Which,
    },
    /// Give a host its power back; its disk is as it was
    PowerOn {
        host: String,
        #[command(flatten)]
        which: Which,
    },
    /// Pull a host's network cable
    Cut {
        host: String,
        #[command(flatten)]
        which: Which,
    },
    /// Plug a host's network cable in again
    Heal {
        host: String,
        #[command(flatten)]
        which: Which,
    },
    /// Log in to a host, or run a command there
    Ssh {
        host: String,
        #[command(flatten)]
        which: Which,
        /// A command to run, behind `--`
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Take the lab away, with all that it had
    Down {
        #[command(flatten)]
        which: Which,
        /// Remove the cached image, too
        #[arg(long)]
        purge: bool,
    },
}

impl From<LabError> for CliError {
    fn from(error: LabError) -> Self {
        CliError { hint: error.next_move(), ..CliError::new(error.to_string()) }
    }
}

pub async fn run(args: &LabArgs, global: &Global) -> Result<u8, CliError> {
    match &args.command {
        LabCommand::Up { blueprint } => up(blueprint, global).await,
        LabCommand::Status { which } => status(&find(which)?, global),
        LabCommand::PowerOff { host, which } => {
            power(which, host, "has no power", |lab, host| lab.power_off(host)).await
        }
        LabCommand::PowerOn { host, which } => {
            power(which, host, "is running", |lab, host| lab.power_on(host).map(drop)).await
        }
        LabCommand::Cut { host, which } => power(which, host, "is cut off", |lab, host| lab.cut(host)).await,
        LabCommand::Heal { host, which } => {
            power(which, host, "is connected", |lab, host| lab.heal(host)).await
        }
        LabCommand::Ssh { host, which, command } => ssh(&find(which)?, host, command),
        LabCommand::Down { which, purge } => down(which, *purge).await,
    }
}

async fn up(args: &BlueprintArgs, global: &Global) -> Result<u8, CliError> {
    let blueprint = load(args, global)?;
    let lab = Lab::open(&blueprint.name)?;
    let spec = spec(&blueprint)?;
    let report = blocking(move || lab.up(&spec, &mut |event| tell(&event))).await?;
    for host in &report.extra {
        terminal::warn(
            "lab",
            &format!("{host} is no longer in the blueprint; it runs on"),
            Some("`standfast lab down` and `up` again make the lab anew"),
        );
    }
    terminal::out(format_args!(
        "{} of {} hosts were started, the others ran. Go on with `standfast --lab apply {}`.",
        report.started.len(),
        report.started.len() + report.kept.len(),
        blueprint.path.display()
    ));
    Ok(exit::OK)
}

/// The hosts of every ssh region, and the addresses that will be taken beside theirs.
fn spec(blueprint: &Blueprint) -> Result<LabSpec, CliError> {
    let regions = || blueprint.regions.iter().filter(|region| region.provider == "ssh");
    let mut hosts = Vec::new();
    for region in regions() {
        for zone in &region.zones {
            for host in &zone.hosts {
                let address: Ipv4Addr = host.address.parse().map_err(|_| {
                    CliError::new(format!("the lab needs an IPv4 address for {}; it has `{}`", host.name, host.address))
                        .hint("give the host an address of a private range, or rehearse with a blueprint of its own")
                })?;
                hosts.push(LabHost { name: host.name.clone(), address, zone: zone.name.clone() });
            }
        }
    }
    if hosts.is_empty() {
        return Err(CliError::new("the blueprint has no hosts to make")
            .hint("a lab needs a region with `provider: ssh` and hosts"));
    }
    let reserved = blueprint.components.iter().filter_map(|component| match component {
        Component::LoadBalancer(balancer) => match balancer.virtual_ip {
            Some(IpAddr::V4(address)) => Some(address),
            _ => None,
        },
        _ => None,
    });
    let user =
        regions().find_map(|region| region.ssh.user.clone()).unwrap_or_else(|| USER_DEFAULT.to_owned());
    Ok(LabSpec { hosts, reserved: reserved.collect(), user })
}

fn tell(event: &LabEvent) {
    match event {
        LabEvent::ImageCached => terminal::say("image: cached"),
        LabEvent::ImageAwaited => terminal::say("image: another `lab up` is building it; waiting"),
        LabEvent::ImageStep { step, of, label } => {
            terminal::say(format_args!("image: {step} of {of}: {label}"))
        }
        LabEvent::ImageBuilt { took } => terminal::say(format_args!("image: built in {} s", took.as_secs())),
        LabEvent::NetworkReady { bridge, subnet, gateway } => {
            terminal::say(format_args!("network: {subnet} on {bridge}, this machine is {gateway}"));
        }
        LabEvent::HostKept { host } => terminal::say(format_args!("{host}: runs already")),
        LabEvent::HostBooting { host, address } => {
            terminal::say(format_args!("{host}: booting at {address}"))
        }
        LabEvent::HostReady { host, took } => {
            terminal::say(format_args!("{host}: ready after {:.1} s", took.as_secs_f64()));
        }
        LabEvent::HostFailed { host } => terminal::say(format_args!("{host}: failed")),
    }
}

fn find(which: &Which) -> Result<Lab, CliError> {
    if let Some(name) = &which.name {
        return Ok(Lab::open(name)?);
    }
    let labs = Roots::from_env().labs()?;
    match labs.as_slice() {
        [one] => Ok(Lab::open(one)?),
        [] => {
            Err(CliError::new("there is no lab on this machine")
                .hint("`standfast lab up BLUEPRINT` makes one"))
        }
        many => Err(CliError::new(format!("there are several labs: {}", many.join(", ")))
            .hint("say which with `--name`")),
    }
}

fn status(lab: &Lab, global: &Global) -> Result<u8, CliError> {
    let hosts = lab.status()?;
    let state = |host: &HostStatus| match host.state {
        HostState::Running => "running",
        HostState::Cut => "cut off",
        HostState::Off => "off",
    };
    if super::is_json(global.format) {
        let rows: Vec<_> = hosts
            .iter()
            .map(|host| serde_json::json!({"name": host.name, "address": host.address, "zone": host.zone, "state": state(host), "memory_bytes": host.memory_bytes}))
            .collect();
        terminal::out(super::pretty(
            &serde_json::json!({ "format_version": 1, "lab": lab.name(), "hosts": rows }),
        ));
        return Ok(exit::OK);
    }
    let rows: Vec<Vec<String>> = hosts
        .iter()
        .map(|host| {
            let uptime = host.uptime.map_or_else(String::new, |uptime| {
                humantime::format_duration(std::time::Duration::from_secs(uptime.as_secs())).to_string()
            });
            let memory = host.memory_bytes.map_or_else(String::new, |bytes| format!("{} MiB", bytes >> 20));
            vec![
                host.name.clone(),
                host.address.to_string(),
                host.zone.clone(),
                state(host).to_owned(),
                uptime,
                memory,
            ]
        })
        .collect();
    terminal::out(
        render::listing::table(&["host", "address", "zone", "state", "up", "memory"], &rows).trim_end(),
    );
    Ok(exit::OK)
}

async fn power(
    which: &Which,
    host: &str,
    now: &str,
    act: impl FnOnce(&Lab, &str) -> Result<(), LabError> + Send + 'static,
) -> Result<u8, CliError> {
    let lab = find(which)?;
    let name = host.to_owned();
    blocking(move || act(&lab, &name)).await?;
    terminal::out(format_args!("{host} {now}."));
    Ok(exit::OK)
}

/// Hands the terminal over to ssh and takes its exit code.
fn ssh(lab: &Lab, host: &str, command: &[String]) -> Result<u8, CliError> {
    let status = lab.ssh_command(host)?.args(command).status();
    let status = status.map_err(|error| {
        CliError::new(format!("could not run ssh: {error}")).hint("install openssh-client")
    })?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(exit::ERROR))
}

async fn down(which: &Which, purge: bool) -> Result<u8, CliError> {
    let lab = find(which)?;
    let name = lab.name().to_owned();
    let report = blocking(move || lab.down(purge)).await?;
    terminal::out(format_args!(
        "The lab {name} is gone: {} hosts stopped, {} disks removed.",
        report.stopped.len(),
        report.removed.len()
    ));
    Ok(exit::OK)
}

/// The lab waits on processes; it must not hold up the runtime.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LabError> + Send + 'static,
) -> Result<T, CliError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => Ok(result?),
        Err(error) => Err(CliError::new(format!("the lab stopped unexpectedly: {error}"))),
    }
}
