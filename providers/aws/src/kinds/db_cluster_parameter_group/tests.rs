//! Parameters of a cluster as RDS tells of them: answers in the shapes of its API reference.

use standfast_contract::Value;

use super::*;
use crate::recorded::{site, with_job};

const ARN: &str = "arn:aws:rds:eu-west-1:123456789012:cluster-pg:shop-orders-1f9a0c3b";

fn answered(action: &str, result: &str) -> String {
    format!(
        "<{action}Response xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><{action}Result>{result}</{action}Result></{action}Response>"
    )
}

fn group() -> String {
    let group = format!(
        "<DBClusterParameterGroup><DBClusterParameterGroupName>shop-orders-1f9a0c3b</DBClusterParameterGroupName>\
         <DBParameterGroupFamily>aurora-postgresql16</DBParameterGroupFamily>\
         <DBClusterParameterGroupArn>{ARN}</DBClusterParameterGroupArn></DBClusterParameterGroup>"
    );
    answered(
        "DescribeDBClusterParameterGroups",
        &format!("<DBClusterParameterGroups>{group}</DBClusterParameterGroups>"),
    )
}

/// Each by name, value and whether the engine takes it while it runs.
fn parameters_of(all: &[(&str, &str, &str)]) -> String {
    let one = |(name, value, apply): &(&str, &str, &str)| {
        format!(
            "<Parameter><ParameterName>{name}</ParameterName><ParameterValue>{value}</ParameterValue><ApplyType>{apply}</ApplyType></Parameter>"
        )
    };
    let all: String = all.iter().map(one).collect();
    answered("DescribeDBClusterParameters", &format!("<Parameters>{all}</Parameters>"))
}

#[tokio::test]
async fn a_parameter_is_set_and_put_back_for_the_whole_cluster() {
    let known = [
        ("log_min_duration_statement", "-1", "dynamic"),
        ("shared_buffers", "1", "static"),
        ("work_mem", "8192", "dynamic"),
    ];
    let (site, endpoint) = site(&[
        (200, &group()),
        (200, &answered("ListTagsForResource", "<TagList/>")),
        (200, &parameters_of(&[("work_mem", "8192", "dynamic")])),
        (200, &parameters_of(&known)),
        (200, &answered("ModifyDBClusterParameterGroup", "")),
        (200, &answered("ResetDBClusterParameterGroup", "")),
    ]);
    let seen = DbClusterParameterGroup.look(&site, Select::Ids(&[ARN])).await.unwrap().remove(0);
    assert_eq!(seen.id, ARN);
    assert_eq!(seen.attributes["parameters"].to_string(), "{work_mem: 8192}");
    endpoint.asked();
    let wanted = Map::from([
        ("log_min_duration_statement".to_owned(), Value::text("500")),
        ("shared_buffers".to_owned(), Value::text("2")),
    ]);
    let inputs = map([("name", "shop-orders-1f9a0c3b".into()), ("parameters", wanted.into())]);
    let fitted = with_job(&site, "db_cluster_parameter_group", inputs, Map::new(), async |job| {
        DbClusterParameterGroup.fit(job, &seen).await
    });
    fitted.await.unwrap();
    let asked = endpoint.asked();
    assert!(
        asked[1].contains("log_min_duration_statement") && asked[1].contains("ApplyMethod=immediate"),
        "{asked:?}"
    );
    assert!(
        asked[1].contains("shared_buffers") && asked[1].contains("ApplyMethod=pending-reboot"),
        "{asked:?}"
    );
    assert!(
        asked[2].contains("Action=ResetDBClusterParameterGroup") && asked[2].contains("work_mem"),
        "{asked:?}"
    );
}

#[tokio::test]
async fn one_in_use_waits_and_one_that_is_gone_is_none() {
    let refused = |code: &str| {
        format!(
            "<ErrorResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><Error><Type>Sender</Type><Code>{code}</Code>\
             <Message>because</Message></Error><RequestId>1</RequestId></ErrorResponse>"
        )
    };
    let (in_use, _) = site(&[(400, &refused("InvalidDBParameterGroupState"))]);
    let failure = DbClusterParameterGroup.remove(&in_use, ARN, &Map::new()).await.unwrap_err();
    assert_eq!(failure.trouble, Trouble::InUse);
    let (gone, _) = site(&[(404, &refused("DBParameterGroupNotFound"))]);
    assert_eq!(DbClusterParameterGroup.look(&gone, Select::Ids(&[ARN])).await.unwrap(), []);
    for (status, code, trouble) in
        [(403, "AccessDenied", Trouble::Denied), (400, "Throttling", Trouble::Throttled)]
    {
        let (site, _) = site(&[(status, &refused(code))]);
        let failure = DbClusterParameterGroup.look(&site, Select::Ids(&[ARN])).await.unwrap_err();
        assert_eq!((failure.trouble, failure.action), (trouble, "rds:DescribeDBClusterParameterGroups"));
    }
}

#[tokio::test]
async fn a_parameter_with_the_engines_own_value_is_as_wanted_though_it_is_nobodys() {
    let set = parameters_of(&[]);
    let known = parameters_of(&[("rds.force_ssl", "1", "dynamic"), ("log_connections", "0", "dynamic")]);
    let (site, endpoint) = site(&[
        (200, &group()),
        (200, &answered("ListTagsForResource", "<TagList/>")),
        (200, &set),
        (200, &known),
    ]);
    let mut seen = DbClusterParameterGroup.look(&site, Select::Ids(&[ARN])).await.unwrap().remove(0);
    let wanted = Map::from([("rds.force_ssl".to_owned(), Value::text("1"))]);
    let inputs = map([("parameters", wanted.into())]);
    endpoint.asked();
    for _ in 0..2 {
        DbClusterParameterGroup.look_closer(&site, &mut seen, &inputs).await.unwrap();
    }
    assert_eq!(seen.attributes["parameters"].to_string(), "{rds.force_ssl: 1}");
    assert_eq!(endpoint.asked().len(), 1);
}
