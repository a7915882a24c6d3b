//! A delete of what others still use, of what is gone already, and one that is denied.

use std::{sync::Mutex, time::Duration};

use standfast_contract::{Call, ErrorClass, Provider};
use tokio::time::Instant;

use super::{World, call, shape, shapes};
use crate::{
    provider::AwsProvider,
    recorded::{Answer, context, site_that},
};

#[tokio::test(start_paused = true)]
async fn what_is_in_use_is_deleted_when_it_is_free() {
    for shape in shapes() {
        let Some(in_use) = shape.in_use.clone() else { continue };
        let (provider, recorded, world, call) = World::with_one(shape.kind).await;
        world.lock().unwrap().next.push_back((shape.delete, in_use));
        let (context, told) = context();
        let deleted = provider.delete(&context, &call).await;
        assert!(deleted.is_ok(), "{}: {deleted:?}", shape.kind);
        let told = told.lock().unwrap()[0].clone();
        let words = ["still in use: ", "AWS is changing it: "];
        assert!(words.iter().any(|word| told.starts_with(word)), "{}: {told}", shape.kind);
        let deletes = recorded.actions().into_iter().filter(|action| action == shape.delete).count();
        assert_eq!(deletes, 2, "{}", shape.kind);
        assert!(!world.lock().unwrap().is_there);
    }
}

/// The interface of a NAT gateway or of a load balancer outlives it by minutes, and EC2 has no better word for it.
#[tokio::test(start_paused = true)]
async fn an_address_is_released_when_its_interface_has_gone() {
    let (provider, recorded, world, call) = World::with_one("elastic_ip").await;
    let lingers =
        Answer::error(400, "AuthFailure", "You do not have permission to access the specified resource.");
    world.lock().unwrap().next.extend([("ReleaseAddress", lingers.clone()), ("ReleaseAddress", lingers)]);
    provider.delete(&context().0, &call).await.unwrap();
    let releases = recorded.actions().into_iter().filter(|action| action == "ReleaseAddress").count();
    assert_eq!(releases, 3);
}

/// Somebody else's listener, say: it does not go by itself, and the engine's tries would only wait as long again.
#[tokio::test(start_paused = true)]
async fn what_stays_in_use_is_given_up() {
    let shape = shape("target_group");
    let in_use = shape.in_use.clone().unwrap();
    let mut world = World::new(shape.kind);
    world.is_there = true;
    world.next.extend((0..200).map(|_| (shape.delete, in_use.clone())));
    let world = Mutex::new(world);
    let (mut site, recorded) = site_that(move |asked| Some(world.lock().unwrap().answer(asked)));
    site.poll = Duration::from_secs(2);
    let began = Instant::now();
    let call = Call { id: Some("arn".into()), ..call(shape.kind) };
    let refused = AwsProvider::with(site).delete(&context().0, &call).await.unwrap_err();
    assert_eq!(refused.class, ErrorClass::Permanent, "{refused}");
    assert!(refused.to_string().contains("after 10 min it is still in use"), "{refused}");
    assert_eq!(began.elapsed().as_secs() / 60, 10);
    assert!(recorded.actions().len() < 200);
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_already_is_deleted() {
    for shape in shapes() {
        let (provider, _, world, call) = World::with_one(shape.kind).await;
        world.lock().unwrap().next.push_back((shape.delete, shape.gone.clone()));
        // A delete of endpoints succeeds all the same, and the look after it finds none.
        world.lock().unwrap().is_there = shape.kind != "vpc_endpoint";
        let deleted = provider.delete(&context().0, &call).await;
        assert!(deleted.is_ok(), "{}: {deleted:?}", shape.kind);
    }
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_is_denied_names_the_permission() {
    for shape in shapes() {
        let (provider, _, world, call) = World::with_one(shape.kind).await;
        let permission = shape.permission(shape.delete);
        world.lock().unwrap().next.push_back((shape.delete, shape.denied(&permission)));
        let error = provider.delete(&context().0, &call).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Permanent, "{error}");
        assert!(error.reason.starts_with(&permission), "{}: {error}", shape.kind);
        let hint = error.hint.unwrap_or_default();
        assert!(hint.starts_with(&format!("Allow `{permission}` ")), "{}: {hint}", shape.kind);
        assert!(world.lock().unwrap().is_there, "{}", shape.kind);
    }
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_is_throttled_is_for_the_engine_to_try_again() {
    for shape in shapes() {
        let (provider, _, world, call) = World::with_one(shape.kind).await;
        world.lock().unwrap().next.push_back((shape.delete, shape.throttled()));
        let error = provider.delete(&context().0, &call).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Transient, "{error}");
        provider.delete(&context().0, &call).await.unwrap();
        assert!(!world.lock().unwrap().is_there, "{}", shape.kind);
    }
}
