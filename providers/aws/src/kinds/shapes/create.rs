//! A create that AWS does not take, or takes without a word.

use standfast_contract::{ErrorClass, Provider};

use super::{World, call, shapes};
use crate::recorded::{Answer, context};

/// Made again they are the same thing, so that nobody looks for them by their create.
const ARE_THEIR_NAMES: [&str; 6] =
    ["dns_record", "validation_record", "topic", "subscription", "alarm", "dashboard"];

#[tokio::test(start_paused = true)]
async fn what_is_throttled_is_made_by_the_next_try() {
    for shape in shapes() {
        let (kind, create) = (shape.kind, shape.create);
        let mut world = World::new(kind);
        world.next.push_back((create, shape.throttled()));
        let (provider, recorded, _) = world.open();
        let error = provider.create(&context().0, &call(kind)).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Transient, "{error}");
        assert!(error.reason.starts_with(&shape.permission(create)), "{error}");
        let made = provider.create(&context().0, &call(kind)).await;
        assert!(made.is_ok(), "{kind}: {made:?}");
        if !ARE_THEIR_NAMES.contains(&kind) {
            assert_eq!(tries(&recorded.actions(), create), 2, "{kind}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_made_without_an_answer_is_found_by_the_next_try() {
    for shape in shapes() {
        let (kind, create) = (shape.kind, shape.create);
        let mut world = World::new(kind);
        world.next.push_back((create, Answer::Lost));
        let (provider, recorded, _) = world.open();
        let error = provider.create(&context().0, &call(kind)).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Uncertain, "{error}");
        let made = provider.create(&context().0, &call(kind)).await;
        assert!(made.is_ok(), "{kind}: {made:?}");
        if !ARE_THEIR_NAMES.contains(&kind) {
            assert_eq!(tries(&recorded.actions(), create), 1, "{kind}");
        }
    }
}

/// The addresses of a load balancer that has just gone, a database that is being changed.
#[tokio::test(start_paused = true)]
async fn what_needs_something_busy_is_made_when_that_is_free() {
    for (kind, code) in [("load_balancer", "ResourceInUse"), ("db_replica", "InvalidDBInstanceState")] {
        let mut world = World::new(kind);
        let create = world.shape.create;
        world.next.extend((0..9).map(|_| (create, Answer::error(400, code, "not now"))));
        let (provider, recorded, _) = world.open();
        let (context, told) = context();
        provider.create(&context, &call(kind)).await.unwrap();
        assert_eq!(tries(&recorded.actions(), create), 10, "{kind}");
        assert!(told.lock().unwrap()[0].contains("not now"), "{kind}");
    }
}

fn tries(actions: &[String], create: &str) -> usize {
    actions.iter().filter(|action| *action == create).count()
}

#[tokio::test(start_paused = true)]
async fn what_is_denied_names_the_permission_and_makes_nothing() {
    for shape in shapes() {
        let (kind, create) = (shape.kind, shape.create);
        let permission = shape.permission(create);
        let mut world = World::new(kind);
        world.next.push_back((create, shape.denied(&permission)));
        let (provider, recorded, world) = world.open();
        let error = provider.create(&context().0, &call(kind)).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Permanent, "{error}");
        assert!(error.reason.starts_with(&permission), "{error}");
        assert!(!error.reason.contains("4GIOH"), "ciphertext helps nobody: {error}");
        let allow = format!("Allow `{permission}` to whoever runs this, then run it again.");
        assert_eq!(error.hint, Some(allow), "{kind}");
        assert_eq!(recorded.actions().last().map(String::as_str), Some(create), "{kind}");
        assert!(!world.lock().unwrap().is_there);
    }
}

#[tokio::test]
async fn what_a_create_needs_besides_is_named_where_that_is_denied() {
    for (kind, besides) in [
        ("vpc", "ec2:CreateTags"),
        ("launch_template", "iam:PassRole"),
        ("autoscaling_group", "iam:CreateServiceLinkedRole"),
        ("db_instance", "rds:AddTagsToResource"),
        ("db_copy", "kms:CreateGrant"),
        ("parameter", "ssm:AddTagsToResource"),
    ] {
        let mut world = World::new(kind);
        world.next.push_back((world.shape.create, world.shape.denied(besides)));
        let error = world.open().0.create(&context().0, &call(kind)).await.unwrap_err();
        let hint = error.hint.unwrap_or_default();
        assert!(hint.starts_with(&format!("Allow `{besides}` ")), "{kind}: {hint}");
    }
}

/// By whom the call was signed, each protocol in its words.
#[tokio::test]
async fn who_is_not_signed_in_is_told_how_to_sign_in() {
    let shown = [
        ("vpc", 401, "AuthFailure", "AWS was not able to validate the provided access credentials"),
        ("vpc", 403, "AuthFailure", "You do not have permission to access the specified resource."),
        ("vpc", 400, "RequestExpired", "Request has expired."),
        ("db_instance", 403, "InvalidClientTokenId", "The security token included in the request is invalid"),
        ("db_instance", 403, "ExpiredToken", "The security token included in the request is expired"),
        (
            "db_instance",
            403,
            "SignatureDoesNotMatch",
            "Signature expired: 20260102T030405Z is now earlier than 20260102T031405Z",
        ),
        (
            "db_instance",
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key",
        ),
        (
            "parameter",
            400,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        ("parameter", 400, "ExpiredTokenException", "The security token included in the request is expired"),
        (
            "parameter",
            400,
            "InvalidSignatureException",
            "Signature not yet current: 20260102T031405Z is still later than 20260102T030405Z",
        ),
        (
            "hosted_zone",
            403,
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        ),
        ("alarm", 403, "ExpiredTokenException", "The security token included in the request is expired"),
    ];
    let mut told = Vec::new();
    for (kind, status, code, message) in shown {
        let mut world = World::new(kind);
        world.next.push_back((world.shape.create, Answer::error(status, code, message)));
        let error = world.open().0.create(&context().0, &call(kind)).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Permanent, "{error}");
        told.push(format!("{} | {}", error.reason, error.hint.unwrap_or_default()));
    }
    insta::assert_snapshot!(told.join("\n"));
}

/// Zones and health checks are made without tags, which follow: without them they are ours by what the create said.
#[tokio::test(start_paused = true)]
async fn what_could_not_be_tagged_is_not_lost() {
    for kind in ["hosted_zone", "health_check"] {
        let mut world = World::new(kind);
        world.shape.listed.retain(|(action, _)| *action != "ListTagsForResources");
        let denied = world.shape.denied("route53:ChangeTagsForResource");
        world.next.extend([("ChangeTagsForResource", denied.clone()), ("ChangeTagsForResource", denied)]);
        let (provider, recorded, world) = world.open();
        let error = provider.create(&context().0, &call(kind)).await.unwrap_err();
        assert_eq!(
            error.class,
            ErrorClass::Uncertain,
            "an open intent makes the next plan look for it: {error}"
        );
        assert!(error.hint.unwrap_or_default().contains("`route53:ChangeTagsForResource`"));
        provider.create(&context().0, &call(kind)).await.unwrap();
        assert_eq!(tries(&recorded.actions(), world.lock().unwrap().shape.create), 1, "{kind}");
    }
}
