//! What moto never shows: throttling, denials, lost answers, states that take their time, things in use.

use std::sync::Arc;

use standfast_contract::{Call, ErrorClass, Map, Provider, ReadRequest, Value};

use super::AwsProvider;
use crate::recorded::{
    Answer::{self, Lost},
    Recorded, context, place, scripted,
};

const TOKEN: &str = "0123456789abcdef";

fn call(kind: &str, id: Option<&str>, inputs: &[(&str, Value)]) -> Call {
    Call {
        address: format!("home/networks.main/{kind}.main").parse().unwrap(),
        kind: kind.into(),
        place: place().to_value(),
        token: TOKEN.into(),
        id: id.map(str::to_owned),
        inputs: inputs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
        prior: Map::new(),
        prior_outputs: Map::new(),
        changed: vec![],
    }
}

fn nat() -> Call {
    call("nat_gateway", None, &[("subnet", "subnet-1".into()), ("elastic_ip", "eipalloc-1".into())])
}

fn tags() -> String {
    let tags = [
        ("Name", "shop main"),
        ("standfast:stack", "shop"),
        ("standfast:environment", "default"),
        ("standfast:address", "home/networks.main/nat_gateway.main"),
        ("standfast:token", TOKEN),
    ];
    tags.map(|(key, value)| format!("<item><key>{key}</key><value>{value}</value></item>")).concat()
}

fn nats(items: &str) -> Answer {
    Answer::ok(format!(
        "<DescribeNatGatewaysResponse><natGatewaySet>{items}</natGatewaySet></DescribeNatGatewaysResponse>"
    ))
}

fn nat_in(state: &str) -> String {
    format!(
        "<item><natGatewayId>nat-1</natGatewayId><subnetId>subnet-1</subnetId><state>{state}</state>\
         <failureMessage>Elastic IP eipalloc-1 is already associated</failureMessage>\
         <natGatewayAddressSet><item><allocationId>eipalloc-1</allocationId><publicIp>203.0.113.7</publicIp></item>\
         </natGatewayAddressSet><tagSet>{}</tagSet></item>",
        tags()
    )
}

fn nat_made() -> Answer {
    let made = nat_in("pending").replace("<item><natGatewayId>", "<natGateway><natGatewayId>");
    let made = made.strip_suffix("</item>").unwrap();
    Answer::ok(format!("<CreateNatGatewayResponse>{made}</natGateway></CreateNatGatewayResponse>"))
}

const CREATE: &str = "CreateNatGateway";
const DESCRIBE: &str = "DescribeNatGateways";
const DELETE: &str = "DeleteNatGateway";

fn provider(answers: Vec<(&'static str, Answer)>) -> (AwsProvider, Recorded) {
    let (site, recorded) = scripted(answers);
    (AwsProvider::with(site), recorded)
}

#[tokio::test]
async fn what_is_pending_is_waited_for_and_said() {
    let (provider, recorded) = provider(vec![
        (DESCRIBE, nats("")),
        (CREATE, nat_made()),
        (DESCRIBE, nats(&nat_in("pending"))),
        (DESCRIBE, nats(&nat_in("available"))),
    ]);
    let (context, told) = context();
    let made = provider.create(&context, &nat()).await.unwrap();
    assert_eq!((made.id.as_str(), &made.outputs["address"]), ("nat-1", &Value::text("203.0.113.7")));
    assert_eq!(*told.lock().unwrap(), ["AWS says: pending"]);
    assert_eq!(recorded.actions(), [DESCRIBE, CREATE, DESCRIBE, DESCRIBE]);
}

#[tokio::test]
async fn what_fails_by_itself_is_removed_and_says_why() {
    let (provider, recorded) = provider(vec![
        (DESCRIBE, nats("")),
        (CREATE, nat_made()),
        (DESCRIBE, nats(&nat_in("failed"))),
        (DELETE, Answer::ok("<DeleteNatGatewayResponse/>")),
        (DESCRIBE, nats(&nat_in("deleted"))),
    ]);
    let error = provider.create(&context().0, &nat()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "could not create home/networks.main/nat_gateway.main: Elastic IP eipalloc-1 is already associated"
    );
    assert_eq!(error.class, ErrorClass::Permanent);
    assert_eq!(recorded.actions(), [DESCRIBE, CREATE, DESCRIBE, DELETE, DESCRIBE]);
}

#[tokio::test]
async fn after_a_lost_answer_the_thing_is_found_and_not_made_again() {
    let (provider, recorded) = provider(vec![
        (DESCRIBE, nats("")),
        (CREATE, Lost),
        (DESCRIBE, nats(&nat_in("available"))),
        (DESCRIBE, nats(&nat_in("available"))),
    ]);
    let (context, _) = context();
    let error = provider.create(&context, &nat()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Uncertain, "{error}");
    assert_eq!(provider.create(&context, &nat()).await.unwrap().id, "nat-1");
    assert_eq!(recorded.actions().iter().filter(|action| *action == CREATE).count(), 1);
}

#[tokio::test]
async fn what_a_lost_create_made_is_looked_for_until_it_can_be_listed() {
    let (provider, recorded) = provider(vec![
        (DESCRIBE, nats("")),
        (CREATE, Lost),
        (DESCRIBE, nats("")),
        (DESCRIBE, nats("")),
        (DESCRIBE, nats(&nat_in("available"))),
        (DESCRIBE, nats(&nat_in("available"))),
    ]);
    let (context, _) = context();
    provider.create(&context, &nat()).await.unwrap_err();
    assert_eq!(provider.create(&context, &nat()).await.unwrap().id, "nat-1");
    assert_eq!(recorded.actions().iter().filter(|action| *action == CREATE).count(), 1);
}

#[tokio::test]
async fn a_plan_looks_again_for_what_a_killed_create_may_have_made() {
    let (provider, recorded) = provider(vec![(DESCRIBE, nats("")), (DESCRIBE, nats(&nat_in("available")))]);
    let request = ReadRequest {
        address: nat().address,
        kind: nat().kind,
        place: Arc::new(place().to_value()),
        id: None,
        token: None,
        recorded: None,
        desired: None,
    };
    let read = provider.read(&context().0, &[request]).await;
    assert_eq!(read[0].as_ref().unwrap().as_ref().unwrap().id, "nat-1");
    assert_eq!(recorded.actions(), [DESCRIBE, DESCRIBE]);
}

#[tokio::test]
async fn a_plan_does_not_take_the_old_one_for_what_a_killed_replacement_made() {
    let old = nat_in("available").replace("nat-1", "nat-0").replace("subnet-1", "subnet-0");
    let both = format!("{old}{}", nat_in("available"));
    let (provider, recorded) = provider(vec![(DESCRIBE, nats(&old)), (DESCRIBE, nats(&both))]);
    let request = ReadRequest {
        address: nat().address,
        kind: nat().kind,
        place: Arc::new(place().to_value()),
        id: None,
        token: None,
        recorded: None,
        desired: Some(Arc::new(nat().inputs)),
    };
    let read = provider.read(&context().0, &[request]).await;
    assert_eq!(read[0].as_ref().unwrap().as_ref().unwrap().id, "nat-1");
    assert_eq!(recorded.actions(), [DESCRIBE, DESCRIBE]);
}

#[tokio::test]
async fn a_change_that_names_what_was_just_made_is_tried_again() {
    let table = "<DescribeRouteTablesResponse><routeTableSet><item><routeTableId>rtb-1</routeTableId>\
                 <vpcId>vpc-1</vpcId><routeSet/><associationSet/><tagSet/></item></routeTableSet>\
                 </DescribeRouteTablesResponse>";
    let tables = || Answer::ok(table);
    let early =
        Answer::error(400, "InvalidNatGatewayID.NotFound", "The natGateway ID 'nat-1' does not exist");
    let (provider, _recorded) = provider(vec![("DescribeRouteTables", tables()), ("CreateRoute", early)]);
    let route: Map = [("to", "0.0.0.0/0"), ("nat_gateway", "nat-1")]
        .map(|(key, value)| (key.to_owned(), value.into()))
        .into_iter()
        .collect();
    let inputs = [("vpc", "vpc-1".into()), ("routes", vec![Value::from(route)].into())];
    let error =
        provider.update(&context().0, &call("route_table", Some("rtb-1"), &inputs)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient, "{error}");
}

#[tokio::test]
async fn an_endpoint_that_filters_badly_gives_nobody_elses_thing() {
    let other = nat_in("available").replace(TOKEN, "another");
    let (provider, recorded) = provider(vec![(DESCRIBE, nats(&other)), (CREATE, Lost)]);
    provider.create(&context().0, &nat()).await.unwrap_err();
    assert_eq!(recorded.actions(), [DESCRIBE, CREATE]);
}

#[tokio::test]
async fn refusals_say_what_may_be_done() {
    let told = |answer| async {
        let (provider, _recorded) = provider(vec![(DESCRIBE, nats("")), (CREATE, answer)]);
        let error = provider.create(&context().0, &nat()).await.unwrap_err();
        format!("{:?}: {error}. {}", error.class, error.hint.as_deref().unwrap_or_default())
    };
    let shown = [
        told(Answer::error(503, "RequestLimitExceeded", "Request limit exceeded.")).await,
        told(Answer::error(
            403,
            "UnauthorizedOperation",
            "You are not authorized to perform this operation.",
        ))
        .await,
        told(Answer::error(
            400,
            "NatGatewayLimitExceeded",
            "The maximum number of NAT gateways has been reached.",
        ))
        .await,
        told(Answer::error(400, "RequestExpired", "Request has expired.")).await,
        told(Answer::error(400, "ExpiredToken", "The security token has expired.")).await,
        told(Answer::error(500, "InternalError", "An internal error has occurred")).await,
    ];
    insta::assert_snapshot!(shown.join("\n"));
}

#[tokio::test]
async fn what_is_in_use_is_removed_when_it_is_free() {
    const DELETE: &str = "DeleteSecurityGroup";
    const DESCRIBE: &str = "DescribeSecurityGroups";
    let none = "<DescribeSecurityGroupsResponse><securityGroupInfo/></DescribeSecurityGroupsResponse>";
    let (provider, recorded) = provider(vec![
        (DELETE, Answer::error(400, "DependencyViolation", "resource sg-1 has a dependent object")),
        (DELETE, Answer::ok("<DeleteSecurityGroupResponse/>")),
        (DESCRIBE, Answer::ok(none)),
    ]);
    let (context, told) = context();
    provider.delete(&context, &call("security_group", Some("sg-1"), &[])).await.unwrap();
    assert_eq!(recorded.actions(), [DELETE, DELETE, DESCRIBE]);
    assert!(told.lock().unwrap()[0].starts_with("still in use: "), "{told:?}");
}

#[tokio::test]
async fn gone_already_is_deleted() {
    let gone = Answer::error(400, "NatGatewayNotFound", "The Nat Gateway nat-1 was not found");
    let (provider, recorded) = provider(vec![(DELETE, gone)]);
    provider.delete(&context().0, &call("nat_gateway", Some("nat-1"), &[])).await.unwrap();
    assert_eq!(recorded.actions(), [DELETE]);
}
