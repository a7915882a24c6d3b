//! The proxy by hand: `standfast-fault-proxy LISTEN UPSTREAM [RULE...]`, for looking at what a client makes of a fault.
//!
//! A rule is `latency=MS`, `slow-down=N`, `error=N`, `drop=N` or `lose=N`: every N-th call. It runs until it is ended.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use standfast_fault_proxy::{Fault, Proxy};

const USAGE: &str =
    "usage: standfast-fault-proxy LISTEN UPSTREAM [latency=MS|slow-down=N|error=N|drop=N|lose=N]...";

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a program of its own")]
fn main() -> ExitCode {
    match start(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(proxy) => {
            println!("{}", proxy.url());
            loop {
                std::thread::park();
            }
        }
        Err(reason) => {
            eprintln!("{reason}\n{USAGE}");
            ExitCode::from(64)
        }
    }
}

fn start(arguments: &[String]) -> Result<Proxy, String> {
    let [listen, upstream, rules @ ..] = arguments else { return Err("two addresses are needed".into()) };
    let address = |text: &String| text.parse::<SocketAddr>().map_err(|error| format!("{text}: {error}"));
    let proxy = Proxy::start_at(address(listen)?, address(upstream)?).map_err(|error| error.to_string())?;
    for rule in rules {
        let (name, number) = rule.split_once('=').ok_or_else(|| format!("{rule}: no number"))?;
        let number: u64 = number.parse().map_err(|error| format!("{rule}: {error}"))?;
        let fault = match name {
            "latency" => Fault::latency(Duration::from_millis(number)),
            "slow-down" => Fault::slow_down().every(number),
            "error" => Fault::internal_error().every(number),
            "drop" => Fault::drop_before().every(number),
            "lose" => Fault::lose_answer().every(number),
            _ => return Err(format!("{rule}: no such rule")),
        };
        proxy.add(name, fault);
    }
    Ok(proxy)
}
