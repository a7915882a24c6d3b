//! How fast and how large the world is. Prints figures; holds nothing against a clock.
//!
//! `cargo test --release -p standfast-sim -- --ignored --nocapture speed`

use std::{path::Path, time::Instant};

use standfast_contract::{Call, Provider, ReadRequest, Target, Value};
use standfast_sim::{Sim, World, layered};

use crate::common::{context, region};

const NODES: usize = 100_000;

/// Resident memory of this process, MiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Everything made, in order, with references resolved.
async fn fill(sim: &Sim) -> Vec<ReadRequest> {
    let context = context();
    let mut ids = std::collections::HashMap::new();
    let mut requests = Vec::with_capacity(NODES);
    let nodes = layered(NODES, 1_000, &region("home"));
    let begun = Instant::now();
    for mut node in nodes {
        if let Some(below) = node.inputs.get_mut("below")
            && let Value::Output(reference) = below
            && let Target::Resource(address) = &reference.of
        {
            let id: &String = &ids[address];
            *below = Value::text(id);
        }
        let call = Call {
            token: node.address.to_string(),
            address: node.address,
            kind: node.kind,
            place: node.place,
            id: None,
            inputs: node.inputs,
            prior: Default::default(),
            prior_outputs: Default::default(),
            changed: vec![],
        };
        let made = sim.create(&context, &call).await.unwrap();
        requests.push(ReadRequest {
            address: call.address.clone(),
            kind: call.kind,
            place: call.place.into(),
            id: Some(made.id.clone()),
            recorded: None,
            desired: None,
        });
        ids.insert(call.address, made.id);
    }
    println!("  create {NODES}: {:?}, {:?} each", begun.elapsed(), begun.elapsed() / 100_000);
    requests
}

async fn look(sim: &Sim, requests: &[ReadRequest]) {
    let begun = Instant::now();
    let seen = sim.read(&context(), requests).await;
    assert!(seen.iter().all(|seen| matches!(seen, Ok(Some(_)))));
    println!("  read {NODES}: {:?}", begun.elapsed());
}

#[tokio::test]
#[ignore = "prints figures; run it in release"]
async fn speed() {
    println!("memory world");
    let sim = Sim::new(World::memory().into());
    let requests = fill(&sim).await;
    look(&sim, &requests).await;
    drop((sim, requests));

    println!("file world");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world");
    let sim = Sim::new(World::open(&path).unwrap().into());
    let requests = fill(&sim).await;
    look(&sim, &requests).await;
    drop((sim, requests));
    println!("  file: {} MiB", std::fs::metadata(&path).unwrap().len() >> 20);
    // In a process of its own: memory that was freed here would hide what a load takes.
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "speed::load", "--ignored", "--nocapture"])
        .env("STANDFAST_SIM_WORLD", &path)
        .status()
        .unwrap();
    assert!(status.success());
}

/// Run by the test above.
#[test]
#[ignore = "needs the world of the test above"]
fn load() {
    let Ok(path) = std::env::var("STANDFAST_SIM_WORLD") else { return };
    let before = resident();
    let begun = Instant::now();
    let world = World::open(Path::new(&path)).unwrap();
    println!("  load {}: {:?}, {} MiB", world.len().unwrap(), begun.elapsed(), resident() - before);
}
