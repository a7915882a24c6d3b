//! Faults, latency, health gates and probes.

use std::time::Duration;

use standfast_contract::{Call, Component, ErrorClass, HealthState, Lookup, Map, Operation, Provider, Value};
use standfast_sim::{Fault, FaultKind, Sim, World};
use tokio::time::Instant;

use crate::common::{answers, call, context, expand, group, node, node_call, read, region, sim};

/// A node in a region with these rates.
fn shaky(name: &str, seed: i64, fault_rate: f64, lost_answer_rate: f64) -> Call {
    let place = Map::from([
        ("region".into(), "home".into()),
        ("seed".into(), Value::Int(seed)),
        ("fault_rate".into(), fault_rate.into()),
        ("lost_answer_rate".into(), lost_answer_rate.into()),
    ]);
    Call { place: Value::Map(place), ..node_call(name, name) }
}

/// Creates nodes until each is there; says what every try met.
async fn make(sim: &Sim, seed: i64, names: &[String]) -> Vec<String> {
    let mut met = Vec::new();
    for name in names {
        let call = shaky(name, seed, 0.3, 0.2);
        for attempt in 0.. {
            match sim.create(&context(), &call).await {
                Ok(_) => break,
                Err(error) => met.push(format!("{name} {attempt} {:?} {}", error.class, error.reason)),
            }
            assert!(attempt < 50, "{name} never comes");
        }
    }
    met.sort();
    met
}

#[tokio::test(start_paused = true)]
async fn the_seed_alone_decides_which_calls_fail() {
    let mut names: Vec<String> = (0..40).map(|number| format!("n{number}")).collect();
    let first = make(&sim(), 7, &names).await;
    names.reverse();
    let again = sim();
    assert_eq!(make(&again, 7, &names).await, first, "the order of calls does not matter");
    assert_ne!(make(&sim(), 8, &names).await, first);
    for class in ["Transient", "Uncertain"] {
        assert!(first.iter().any(|met| met.contains(class)), "{first:?}");
    }
    assert_eq!(again.world().len().unwrap(), 40);
    assert!(
        again.world().duplicates().unwrap().is_empty(),
        "a token makes one thing, however often it is tried"
    );
}

#[tokio::test(start_paused = true)]
async fn faults_of_a_killed_process_are_behind_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world");
    // Every process tries once: were attempts not kept, an unlucky node would never come.
    let mut processes = 0;
    for number in 0..20 {
        let call = shaky(&format!("n{number}"), 3, 0.6, 0.2);
        while Sim::new(World::open(&path).unwrap().into()).create(&context(), &call).await.is_err() {
            processes += 1;
            assert!(processes < 400);
        }
    }
    assert!(processes > 10);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_lost_after_the_effect_and_a_hang_ends_without_one() {
    let sim = sim();
    for (name, kind, class, there) in [
        ("lost", FaultKind::LostAnswer, ErrorClass::Uncertain, true),
        ("hang", FaultKind::Hang, ErrorClass::Uncertain, false),
        ("slow", FaultKind::Throttled, ErrorClass::Transient, false),
        ("no", FaultKind::Refused, ErrorClass::Permanent, false),
        ("dark", FaultKind::Unreachable, ErrorClass::Unreachable, false),
    ] {
        sim.world().script(Fault::new(node(name).as_str(), "create", kind).reason("so it is")).unwrap();
        let begun = Instant::now();
        let error = sim.create(&context(), &node_call(name, name)).await.unwrap_err();
        assert_eq!((error.class, error.reason.as_str()), (class, "so it is"));
        assert_eq!(error.retry_after.is_some(), kind == FaultKind::Throttled);
        assert_eq!(begun.elapsed() >= Duration::from_secs(30), kind == FaultKind::Hang);
        let seen = sim.read(&context(), &[read(&node(name), None)]).await;
        assert_eq!(seen[0].as_ref().unwrap().is_some(), there, "{name}");
        // Spent: the second try succeeds.
        sim.create(&context(), &node_call(name, name)).await.unwrap();
    }
    assert!(sim.world().duplicates().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_call_takes_the_latency_and_a_read_takes_it_once() {
    let sim = sim();
    let mut call = node_call("x", "t1");
    if let Value::Map(place) = &mut call.place {
        place.insert("latency_ms".into(), Value::Int(25));
    }
    let begun = Instant::now();
    sim.create(&context(), &call).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_millis(25));
    let requests: Vec<_> = (0..50)
        .map(|number| {
            let mut request = read(&node(&format!("n{number}")), None);
            request.place = call.place.clone().into();
            request
        })
        .collect();
    let begun = Instant::now();
    assert_eq!(sim.read(&context(), &requests).await.len(), 50);
    assert_eq!(begun.elapsed(), Duration::from_millis(25));
}

#[tokio::test]
async fn a_scripted_read_fault_hits_one_resource_of_a_page() {
    let sim = sim();
    sim.world().record_calls();
    sim.world().script(Fault::new(node("b").as_str(), "read", FaultKind::Internal)).unwrap();
    let requests = [read(&node("a"), None), read(&node("b"), None), read(&node("c"), None)];
    let seen = sim.read(&context(), &requests).await;
    assert_eq!(seen.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    let calls = sim.world().calls();
    assert_eq!((calls.len(), calls[0].verb.as_str(), calls[0].count), (1, "read", 3));
}

#[tokio::test]
async fn what_is_pending_is_waited_for_and_no_obstacle() {
    let sim = sim();
    sim.world().script(Fault::new("home", "*", FaultKind::Pending).forever()).unwrap();
    assert!(sim.preflight(&context(), &[node_call("x", "t1")], &[]).await.is_empty());
}

#[tokio::test]
async fn preflight_and_lookup_and_find_fail_only_on_demand() {
    let sim = sim();
    let calls = [node_call("x", "t1")];
    assert!(sim.preflight(&context(), &calls, &[]).await.is_empty());
    sim.world().script(Fault::new("home", "preflight", FaultKind::Refused).reason("quota: 0 nodes")).unwrap();
    let obstacles = sim.preflight(&context(), &calls, &[]).await;
    assert_eq!(obstacles.len(), 1);
    assert_eq!(obstacles[0].calls, [0]);
    let error = &obstacles[0].error;
    assert!(error.to_string().contains("quota: 0 nodes"), "{error}");

    let zones = Lookup::Provider { region: "home".into(), question: "zones".into(), subject: String::new() };
    let mut bare = region("home");
    bare.zones.clear();
    let answer = sim.lookup(&context(), &bare, std::slice::from_ref(&zones), &[]).await;
    assert_eq!(answer[0].as_ref().unwrap(), &["a", "b", "c"].into_iter().collect::<Value>());
    sim.world().script(Fault::new("home", "*", FaultKind::Unreachable).forever()).unwrap();
    let answer = sim.lookup(&context(), &bare, &[zones], &[]).await;
    assert_eq!(answer[0].as_ref().unwrap_err().class, ErrorClass::Unreachable);
    let error = sim.find(&context(), &[calls[0].place.clone()]).await.remove(0).unwrap_err();
    assert_eq!(error.class, ErrorClass::Unreachable);
}

/// Makes a group's members, without what they refer to, and gives back its gate for the first.
async fn members(sim: &Sim, release: &str) -> (standfast_contract::Expansion, Vec<Call>) {
    let components = [Component::AutoscalingGroup(group("/r.tar.gz", 2))];
    let expansion = expand(&region("home"), &components, 0, &answers(&[("/r.tar.gz", release)]));
    let mut calls = Vec::new();
    for resource in expansion.resources.iter().filter(|resource| resource.kind == "member") {
        let inputs = [("template", "outside".into()), ("zone", "a".into()), ("release", release.into())];
        let mut call = call(&resource.address, resource.address.as_str(), inputs);
        call.id = Some(sim.create(&context(), &call).await.unwrap().id);
        calls.push(call);
    }
    (expansion, calls)
}

#[tokio::test]
async fn a_gate_fails_for_the_release_that_the_script_names() {
    let sim = sim();
    let (expansion, calls) = members(&sim, "v1").await;
    let gate = &expansion.rollouts[0].members[0].after[0];
    assert_eq!(gate.verb, "health");
    sim.operate(&context(), gate).await.unwrap();

    let bad =
        Fault::new("autoscaling_groups.web", "health", FaultKind::Refused).when("release", "v2").forever();
    sim.world().script(bad.reason("GET /healthz answered 500")).unwrap();
    sim.operate(&context(), gate).await.unwrap();
    let mut update = calls[0].clone();
    update.inputs.insert("release".into(), "v2".into());
    update.changed = vec!["release".into()];
    sim.update(&context(), &update).await.unwrap();
    let error = sim.operate(&context(), gate).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Permanent);
    assert!(error.to_string().contains("check the health of home/autoscaling_groups.web"), "{error}");
    assert!(error.reason.contains("GET /healthz answered 500"), "{error}");
    // Rolled back, it passes.
    sim.update(&context(), &calls[0]).await.unwrap();
    sim.operate(&context(), gate).await.unwrap();
}

#[tokio::test]
async fn probes_tell_what_stands() {
    let sim = sim();
    let (expansion, calls) = members(&sim, "v1").await;
    let probe = async |wanted: HealthState, detail: &str| {
        let health = sim.probe(&context(), &expansion.probes).await;
        assert_eq!((health[0].state, health[0].detail.as_str()), (wanted, detail));
    };
    probe(HealthState::Healthy, "2 of 2 stand").await;
    let operation =
        |verb: &str| Operation { verb: verb.into(), ..expansion.rollouts[0].members[0].after[0].clone() };
    sim.operate(&context(), &operation("drain")).await.unwrap();
    probe(HealthState::Degraded, "1 of 2 stand: web-1 drained").await;
    sim.operate(&context(), &operation("undrain")).await.unwrap();
    sim.world().tamper(&calls[0].address, "health", "out of memory").unwrap();
    sim.world().destroy(&calls[1].address).unwrap();
    probe(HealthState::Down, "0 of 2 stand: web-1 out of memory, web-2 gone").await;
    let error = sim.operate(&context(), &operation("health")).await.unwrap_err();
    assert!(error.reason.contains("0 of 2 checks passed: out of memory"), "{error}");
    sim.world().script(Fault::new("home*", "probe", FaultKind::Unreachable)).unwrap();
    let health = sim.probe(&context(), &expansion.probes).await;
    assert_eq!(health[0].state, HealthState::Unreachable);
    assert!(sim.operate(&context(), &operation("dance")).await.is_err());
}

#[tokio::test]
async fn drain_of_what_is_gone_succeeds_and_its_gate_does_not() {
    let components = [Component::AutoscalingGroup(group("/r.tar.gz", 1))];
    let expansion = expand(&region("home"), &components, 0, &answers(&[("/r.tar.gz", "v1")]));
    let gate = &expansion.rollouts[0].members[0].after[0];
    let drain = Operation { verb: "drain".into(), ..gate.clone() };
    sim().operate(&context(), &drain).await.unwrap();
    assert!(sim().operate(&context(), gate).await.is_err());
}
