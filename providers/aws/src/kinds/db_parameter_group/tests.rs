//! Parameters as RDS tells of them: answers in the shapes of its API reference.

use std::sync::Arc;

use standfast_contract::{Context, ReadRequest, Value};

use super::*;
use crate::{
    observe::look_for,
    recorded::{site, stack, with_job},
};

const ARN: &str = "arn:aws:rds:eu-west-1:123456789012:pg:shop-orders-1f9a0c3b";

fn answered(action: &str, result: &str) -> String {
    format!(
        "<{action}Response xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><{action}Result>{result}</{action}Result></{action}Response>"
    )
}

fn groups(names: &[&str]) -> String {
    let group = |name: &&str| {
        format!(
            "<DBParameterGroup><DBParameterGroupName>{name}</DBParameterGroupName><DBParameterGroupFamily>postgres16</DBParameterGroupFamily>\
             <DBParameterGroupArn>arn:aws:rds:eu-west-1:123456789012:pg:{name}</DBParameterGroupArn></DBParameterGroup>"
        )
    };
    let groups: String = names.iter().map(group).collect();
    answered("DescribeDBParameterGroups", &format!("<DBParameterGroups>{groups}</DBParameterGroups>"))
}

fn tagged() -> String {
    let tag = |key: &str, value: &str| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
    let tags = tag("standfast:stack", "shop") + &tag("standfast:environment", "default");
    answered("ListTagsForResource", &format!("<TagList>{tags}</TagList>"))
}

/// Each by name, value and whether the engine takes it while it runs.
fn parameters(all: &[(&str, &str, &str)]) -> String {
    let one = |(name, value, apply): &(&str, &str, &str)| {
        format!(
            "<Parameter><ParameterName>{name}</ParameterName><ParameterValue>{value}</ParameterValue><ApplyType>{apply}</ApplyType></Parameter>"
        )
    };
    let all: String = all.iter().map(one).collect();
    answered("DescribeDBParameters", &format!("<Parameters>{all}</Parameters>"))
}

#[tokio::test]
async fn only_groups_that_can_be_the_stacks_are_asked_for_their_tags() {
    let set = parameters(&[("work_mem", "8192", "dynamic")]);
    let (site, endpoint) =
        site(&[(200, &groups(&["shop-orders-1f9a0c3b", "other-team"])), (200, &tagged()), (200, &set)]);
    let seen = DbParameterGroup.look(&site, Select::Stack(&stack())).await.unwrap();
    assert_eq!(seen.iter().map(|seen| seen.id.as_str()).collect::<Vec<_>>(), [ARN]);
    assert_eq!(seen[0].attributes["parameters"].to_string(), "{work_mem: 8192}");
    let asked = endpoint.asked();
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(asked[2].contains("Source=user"), "{asked:?}");
}

#[tokio::test]
async fn a_parameter_is_set_at_once_where_the_engine_takes_it_and_put_back_when_it_goes() {
    let set = parameters(&[("work_mem", "8192", "dynamic"), ("max_connections", "100", "static")]);
    let known = parameters(&[
        ("work_mem", "8192", "dynamic"),
        ("log_connections", "0", "dynamic"),
        ("max_connections", "100", "static"),
        ("shared_buffers", "1", "static"),
    ]);
    let (site, endpoint) = site(&[
        (200, &groups(&["shop-orders-1f9a0c3b"])),
        (200, &tagged()),
        (200, &set),
        (200, &known),
        (200, &answered("ModifyDBParameterGroup", "")),
        (200, &answered("ResetDBParameterGroup", "")),
    ]);
    let seen = DbParameterGroup.look(&site, Select::Ids(&[ARN])).await.unwrap().remove(0);
    endpoint.asked();
    // One is new, one changes, one goes.
    let wanted = map([("log_connections", "1".into()), ("max_connections", "200".into())]);
    let inputs = map([("parameters", wanted.into())]);
    let done = with_job(&site, "db_parameter_group", inputs, Map::new(), async |job| {
        DbParameterGroup.fit(job, &seen).await
    });
    done.await.unwrap();
    let asked = endpoint.asked();
    let part = |at: usize, text: &str| assert!(asked[at].contains(text), "{}", asked[at]);
    part(1, "Action=ModifyDBParameterGroup");
    part(1, "Parameters.Parameter.1.ParameterName=log_connections&Parameters.Parameter.1.ParameterValue=1");
    part(1, "Parameters.Parameter.1.ApplyMethod=immediate");
    part(1, "Parameters.Parameter.2.ParameterName=max_connections&Parameters.Parameter.2.ParameterValue=200");
    part(1, "Parameters.Parameter.2.ApplyMethod=pending-reboot");
    part(2, "Action=ResetDBParameterGroup");
    part(2, "Parameters.Parameter.1.ParameterName=work_mem&Parameters.Parameter.1.ApplyMethod=immediate");
    assert_eq!(asked.len(), 3);
}

#[tokio::test]
async fn a_group_that_is_in_use_waits() {
    let answer = "<ErrorResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><Error><Type>Sender</Type>\
                  <Code>InvalidDBParameterGroupState</Code><Message>One or more database instances are still members</Message>\
                  </Error><RequestId>1</RequestId></ErrorResponse>";
    let (site, _) = site(&[(400, answer)]);
    let failure = DbParameterGroup.remove(&site, ARN, &Map::new()).await.unwrap_err();
    assert_eq!((failure.trouble, failure.action), (Trouble::InUse, "rds:DeleteDBParameterGroup"));
}

#[tokio::test]
async fn a_parameter_with_the_engines_own_value_is_as_wanted_though_it_is_nobodys() {
    let set = parameters(&[("work_mem", "8192", "dynamic")]);
    let known = parameters(&[
        ("work_mem", "8192", "dynamic"),
        ("rds.force_ssl", "1", "dynamic"),
        ("log_connections", "0", "dynamic"),
    ]);
    let look = async |wanted: &[(&str, &str)], answers: &[(u16, &str)]| {
        let wanted: Map = wanted.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
        let request = ReadRequest {
            address: "refuge/databases.orders/db_parameter_group.main".parse().unwrap(),
            kind: "db_parameter_group".into(),
            place: Value::Null.into(),
            id: Some(ARN.into()),
            token: None,
            recorded: None,
            desired: Some(Arc::new(map([("parameters", wanted.into())]))),
        };
        let (site, endpoint) = site(answers);
        let context = Context::quiet(stack());
        let (seen, _) = look_for(&site, &DbParameterGroup, &context, &[&request]).await.unwrap();
        (seen[0].attributes["parameters"].to_string(), endpoint.asked())
    };
    // Nothing more is asked where all that is wanted is set.
    let (seen, asked) = look(&[("work_mem", "8192")], &[(200, &set)]).await;
    assert_eq!((seen.as_str(), asked.len()), ("{work_mem: 8192}", 1));
    let (seen, asked) = look(&[("rds.force_ssl", "1")], &[(200, &set), (200, &known)]).await;
    assert_eq!(seen, "{rds.force_ssl: 1, work_mem: 8192}", "what nobody wants is told as well");
    assert!(asked.len() == 2 && !asked[1].contains("Source="), "{asked:?}");

    // An update sets nothing that is so already.
    let (site, endpoint) =
        site(&[(200, &set), (200, &known), (200, &answered("ModifyDBParameterGroup", ""))]);
    let seen = told(&site, ARN).await.unwrap().unwrap();
    endpoint.asked();
    let texts = [("rds.force_ssl", "1"), ("work_mem", "8192"), ("log_connections", "1")];
    let texts: Map = texts.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
    let inputs = map([("parameters", texts.into())]);
    let done = with_job(&site, "db_parameter_group", inputs, Map::new(), async |job| {
        DbParameterGroup.fit(job, &seen).await
    });
    done.await.unwrap();
    let asked = endpoint.asked();
    assert!(asked[1].contains("log_connections") && !asked[1].contains("force_ssl"), "{asked:?}");
}
