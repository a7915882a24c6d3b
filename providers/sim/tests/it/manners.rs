//! The manners of a cloud's API: tokens, references, drift, marks.

use std::collections::BTreeSet;

use standfast_contract::{Call, ErrorClass, Map, Provider, Sensitive, Value};

use crate::common::{call, context, node, node_call, read, sim};

#[tokio::test]
async fn a_client_token_makes_one_thing() {
    let sim = sim();
    let call = node_call("x", "t1");
    let first = sim.create(&context(), &call).await.unwrap();
    assert_eq!(first.id, "node-000001");
    assert_eq!(first.outputs["arn"], "arn:sim:home:node/node-000001".into());
    assert_eq!(sim.create(&context(), &call).await.unwrap(), first);
    assert_eq!(sim.world().len().unwrap(), 1);

    let mut other = call.clone();
    other.inputs.insert("size".into(), Value::Int(2));
    let error = sim.create(&context(), &other).await.unwrap_err();
    assert!(error.reason.starts_with("IdempotentParameterMismatch"), "{error}");
    assert_eq!(error.class, ErrorClass::Permanent);

    // Another token makes another thing under the same mark: what a recovery must never do.
    let second = sim.create(&context(), &node_call("x", "t2")).await.unwrap();
    assert_eq!(second.id, "node-000002");
    let twins: Vec<_> = sim.world().duplicates().unwrap().into_iter().map(|object| object.id).collect();
    assert_eq!(twins, ["node-000001", "node-000002"]);
}

#[tokio::test]
async fn a_token_is_held_against_what_it_was_made_with_even_after_an_update() {
    let sim = sim();
    let create = node_call("x", "t1");
    let made = sim.create(&context(), &create).await.unwrap();
    let mut update = create.clone();
    update.id = Some(made.id.clone());
    update.inputs.insert("size".into(), Value::Int(9));
    update.changed = vec!["size".into()];
    sim.update(&context(), &update).await.unwrap();
    assert_eq!(sim.create(&context(), &create).await.unwrap().id, made.id);
    assert_eq!(sim.world().objects().unwrap()[0].inputs["size"], Value::Int(9));
}

#[tokio::test]
async fn what_is_referred_to_stays_until_its_referrer_is_gone() {
    let sim = sim();
    let base = sim.create(&context(), &node_call("base", "t1")).await.unwrap();
    let mut upper = node_call("upper", "t2");
    upper.inputs.insert("below".into(), Value::text(&base.id));
    let upper_made = sim.create(&context(), &upper).await.unwrap();

    let delete = |name: &str, id: &str| Call { id: Some(id.into()), ..node_call(name, "d") };
    let error = sim.delete(&context(), &delete("base", &base.id)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient);
    assert!(error.reason.contains("DependencyViolation") && error.reason.contains("node.upper"), "{error}");

    sim.delete(&context(), &delete("upper", &upper_made.id)).await.unwrap();
    sim.delete(&context(), &delete("base", &base.id)).await.unwrap();
    // Gone already is success, also for an id that this world never gave.
    sim.delete(&context(), &delete("base", &base.id)).await.unwrap();
    sim.delete(&context(), &delete("base", "sg-0abc")).await.unwrap();
    assert!(sim.world().is_empty().unwrap());
}

#[tokio::test]
async fn wrong_calls_are_refused_for_good() {
    let sim = sim();
    let made = sim.create(&context(), &node_call("x", "t1")).await.unwrap();
    let with = |name: &str, value: Value| {
        let mut call = node_call("y", "t9");
        call.inputs.insert(name.into(), value);
        call
    };
    let mut nameless = node_call("y", "t9");
    nameless.inputs.remove("name");
    for (call, reason) in [
        (with("below", "node-000077".into()), "InvalidReference"),
        (with("label", Value::Unknown), "InvalidParameter: `label` is not known yet"),
        (nameless, "MissingParameter: a node needs `name`"),
        (Call { kind: "unicorn".into(), ..node_call("y", "t9") }, "InvalidKind"),
    ] {
        let error = sim.create(&context(), &call).await.unwrap_err();
        assert!(error.reason.starts_with(reason), "{error}");
        assert_eq!(error.class, ErrorClass::Permanent);
    }
    let move_it =
        Call { id: Some(made.id.clone()), changed: vec!["zone".into()], ..with("zone", "b".into()) };
    let error = sim.update(&context(), &move_it).await.unwrap_err();
    assert!(error.reason.contains("`zone` of a node cannot be changed in place"), "{error}");
    let gone = Call { id: Some("node-000099".into()), ..node_call("x", "t1") };
    let error = sim.update(&context(), &gone).await.unwrap_err();
    assert!(error.reason.starts_with("NotFound") && error.hint.is_some(), "{error:?}");
    assert_eq!(sim.world().len().unwrap(), 1);
}

#[tokio::test]
async fn drift_by_hand_is_seen_by_read() {
    let sim = sim();
    let made = sim.create(&context(), &node_call("x", "t1")).await.unwrap();
    let address = node("x");
    sim.world().tamper(&address, "size", Value::Int(7)).unwrap();
    sim.world().tamper(&address, "health", "out of memory").unwrap();
    let seen = sim.read(&context(), &[read(&address, Some(&made.id)), read(&node("none"), None)]).await;
    let observed = seen[0].as_ref().unwrap().clone().unwrap();
    assert_eq!(observed.attributes["size"], Value::Int(7));
    assert!(!observed.attributes.contains_key("health"), "in no schema, so in no plan");
    assert_eq!(observed.outputs, made.outputs);
    assert_eq!(seen[1].as_ref().unwrap(), &None);

    sim.world().destroy(&address).unwrap();
    let seen = sim.read(&context(), &[read(&address, Some(&made.id))]).await;
    assert_eq!(seen[0].as_ref().unwrap(), &None);
    assert!(sim.world().destroy(&address).is_err());
}

#[tokio::test]
async fn marks_find_what_no_record_knows() {
    let sim = sim();
    for name in ["x", "y"] {
        sim.create(&context(), &node_call(name, name)).await.unwrap();
    }
    let here = node_call("x", "x").place;
    let elsewhere = Value::Map(Map::from([("region".into(), "refuge".into())]));
    let nowhere = Value::Null;
    let mut found = sim.find(&context(), &[nowhere, here.clone(), elsewhere, here.clone()]).await;
    assert!(found.remove(0).is_err(), "it says so, and hides nothing of the others");
    let [found, elsewhere, again] = found.try_into().unwrap();
    assert_eq!((elsewhere.unwrap(), again.unwrap()), (Vec::new(), Vec::new()), "told once");
    let found: Vec<_> = found
        .as_ref()
        .unwrap()
        .iter()
        .map(|it| (it.address.name(), it.id.as_str(), it.token.as_deref()))
        .collect();
    assert_eq!(found, [("x", "node-000001", Some("x")), ("y", "node-000002", Some("y"))]);
    let mut stranger = context();
    stranger.stack.environment = "staging".into();
    assert_eq!(sim.find(&stranger, &[here]).await.remove(0).unwrap(), []);

    let orphans = sim.world().orphans(&BTreeSet::from([node("x")])).unwrap();
    assert_eq!(orphans.iter().map(|object| object.address.clone()).collect::<Vec<_>>(), [node("y")]);
    // A create whose answer was lost is seen under its mark.
    let seen = sim.read(&context(), &[read(&node("y"), None)]).await;
    assert_eq!(seen[0].as_ref().unwrap().as_ref().unwrap().id, "node-000002");
    // And can be deleted by it.
    sim.delete(&context(), &node_call("y", "d")).await.unwrap();
    assert_eq!(sim.world().len().unwrap(), 1);
}

#[tokio::test]
async fn a_password_is_kept_as_a_digest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world");
    let sim = standfast_sim::Sim::new(standfast_sim::World::open(&path).unwrap().into());
    let address = "home/session_stores.s/store.main".parse().unwrap();
    let plain = call(&address, "t1", [("engine", "redis".into()), ("password", "hunter2".into())]);
    sim.create(&context(), &plain).await.unwrap();
    let sealed = Value::Sensitive(Sensitive::from_digest("00ff"));
    let other = "home/session_stores.t/store.main".parse().unwrap();
    sim.create(&context(), &call(&other, "t2", [("engine", "redis".into()), ("password", sealed.clone())]))
        .await
        .unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!(sim.world().objects().unwrap()[1].inputs["password"], sealed);
}
