//! One process that does one thing with the engine, and says what that cost the whole process.
//!
//! `engine_load plan-new|apply|plan-noop COUNT WIDTH FOLDER`; `scripts/bench` runs it. `apply` wants an empty folder,
//! `plan-noop` one that an `apply` of the same shape has filled. The simulated world is a file in that folder.
//!
//! Prints one JSON object: times in ms, sizes in bytes. `written` is what was handed to write calls (`wchar` of
//! proc(5)), `write_bytes` what those calls made the storage layer write.
#![expect(clippy::print_stdout, reason = "the measurement is its output")]

#[path = "../benches/harness/mod.rs"]
mod harness;

use std::{fs, path::PathBuf, sync::Arc, time::Instant};

use harness::{Failure, Stand, graph, stack};
use serde_json::json;
use standfast::plan::Purpose;
use standfast_sim::World;
use standfast_state::{OpenMode, open_sqlite};

/// USER_HZ is 100 on every platform that Linux is built for but one (alpha).
const MS_PER_TICK: u64 = 10;

struct Order {
    work: String,
    count: usize,
    width: usize,
    folder: PathBuf,
}

fn order() -> Result<Order, Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [work, count, width, folder] = arguments.as_slice() else {
        return Err("say: engine_load plan-new|apply|plan-noop COUNT WIDTH FOLDER".into());
    };
    Ok(Order { work: work.clone(), count: count.parse()?, width: width.parse()?, folder: folder.into() })
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let begun = Instant::now();
    let order = order()?;
    fs::create_dir_all(&order.folder)?;
    let world = World::open(&order.folder.join("world.jsonl"))?;
    let store = open_sqlite(order.folder.join("load.db"), &stack(), OpenMode::Create)?;
    let stand = Stand::new(store, Arc::new(world));
    let graph = graph(order.count, order.width)?;
    let (plan, snapshot) = stand.plan(&graph, Purpose::Apply).await?;
    let planned_ms = ms(begun);
    let summary = plan.summary;
    let expected = match order.work.as_str() {
        "plan-new" | "apply" => (order.count, 0),
        "plan-noop" => (0, order.count),
        other => return Err(format!("{other} is no work: plan-new, apply or plan-noop").into()),
    };
    if (summary.create, summary.no_op) != expected {
        return Err(format!("the folder does not fit the work: the plan is {summary:?}").into());
    }
    let mut events = 0;
    if order.work == "apply" {
        // Plan and apply are one process here, but the graph is no longer needed: apply knows none.
        drop(graph);
        let report;
        (report, events) = stand.apply(plan, &snapshot, None).await?;
        if !report.succeeded() {
            return Err(format!("the apply did not succeed: {:?}", report.failed).into());
        }
    }
    let wall_ms = ms(begun);
    let measured = json!({
        "work": order.work,
        "count": order.count,
        "width": order.width,
        "wall_ms": wall_ms,
        "planned_ms": planned_ms,
        "cpu_ms": cpu_ms()?,
        "peak_rss": of_proc("status", "VmHWM")? * 1024,
        "written": of_proc("io", "wchar")?,
        "write_bytes": of_proc("io", "write_bytes")?,
        "per_second": order.count as f64 * 1e3 / wall_ms,
        "events": events,
    });
    println!("{measured}");
    Ok(())
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Of user and system, in steps of one tick: the 14th and 15th word of proc(5)'s `stat`.
fn cpu_ms() -> Result<u64, Failure> {
    let text = fs::read_to_string("/proc/self/stat")?;
    // The second word is the program's name in brackets and may hold blanks.
    let (_, rest) = text.rsplit_once(") ").ok_or("/proc/self/stat says no name")?;
    let ticks = rest.split(' ').skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(ticks * MS_PER_TICK)
}

/// The number after `name:` in a file of `/proc/self`.
fn of_proc(file: &str, name: &str) -> Result<u64, Failure> {
    let text = fs::read_to_string(format!("/proc/self/{file}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let word = line.and_then(|rest| rest.split_whitespace().next());
    Ok(word.ok_or_else(|| format!("/proc/self/{file} says no {name}"))?.parse()?)
}
