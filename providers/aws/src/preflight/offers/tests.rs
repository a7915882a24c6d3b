use super::*;
use crate::preflight::fixtures::{Asking, call};

const NOBODY: &str = "arn:aws:iam::123456789012:user/jane";

fn offered(zones: &[&str]) -> String {
    let items: Vec<String> = zones
        .iter()
        .map(|zone| {
            format!(
                "<item><instanceType>t4g.small</instanceType><locationType>availability-zone</locationType>\
                 <location>{zone}</location></item>"
            )
        })
        .collect();
    format!(
        "<DescribeInstanceTypeOfferingsResponse><instanceTypeOfferingSet>{}</instanceTypeOfferingSet>\
         </DescribeInstanceTypeOfferingsResponse>",
        items.concat()
    )
}

fn shown(found: &[Obstacle]) -> String {
    let lines =
        found.iter().map(|Obstacle { error, .. }| format!("{error} | {}", error.hint.as_deref().unwrap()));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_size_that_a_zone_has_not_is_told_with_the_zones_that_have_it() {
    let mut group = call("autoscaling_group", "main", &[("name", "shop-web-1")]);
    group.inputs.insert("subnets".into(), Value::List(vec![Value::Unknown, Value::Unknown]));
    let calls = [
        call("subnet", "private.eu-west-1a", &[("zone", "eu-west-1a")]),
        call("subnet", "private.eu-west-1b", &[("zone", "eu-west-1b")]),
        call("launch_template", "main", &[("instance_type", "t4g.small")]),
        group,
    ];
    let told = |zones: &'static [&'static str]| {
        let asking = Asking::new(&calls, &[(200, &offered(zones))], NOBODY);
        async move { shown(&machines(&asking.ahead()).await) }
    };
    insta::assert_snapshot!(
        [
            told(&["eu-west-1a", "eu-west-1b"]).await,
            told(&["eu-west-1a", "eu-west-1c"]).await,
            told(&[]).await,
        ]
        .join("\n---\n")
    );
}

#[tokio::test]
async fn the_zones_of_subnets_that_are_there_are_asked_for() {
    let mut group = call("autoscaling_group", "main", &[("name", "shop-web-1")]);
    group.inputs.insert("subnets".into(), ["subnet-1"].into_iter().collect());
    let mut template = call("launch_template", "main", &[("instance_type", "t4g.small")]);
    template.id = Some("lt-1".into());
    template.changed = vec!["instance_type".into()];
    let subnets = "<DescribeSubnetsResponse><subnetSet><item><subnetId>subnet-1</subnetId>\
                   <availabilityZone>eu-west-1b</availabilityZone></item></subnetSet></DescribeSubnetsResponse>";
    let calls = [template.clone(), group.clone()];
    let asking = Asking::new(&calls, &[(200, &offered(&["eu-west-1a"])), (200, subnets)], NOBODY);
    assert!(shown(&machines(&asking.ahead()).await).contains("eu-west-1b offers no `t4g.small`"));
    // Another image is no other size.
    template.changed = vec!["image".into()];
    let calls = [template, group];
    let asking = Asking::new(&calls, &[], NOBODY);
    assert!(machines(&asking.ahead()).await.is_empty() && asking.recorded.asked().is_empty());
}

#[tokio::test]
async fn of_several_sizes_one_in_a_zone_is_enough_and_each_must_exist() {
    let mut group = call("autoscaling_group", "main", &[("name", "shop-web-1")]);
    let mixed = crate::kinds::map([("types", "t4g.small, t4g.tiny".into())]);
    group.inputs.insert("mixed".into(), mixed.into());
    group.inputs.insert("subnets".into(), Value::List(vec![Value::Unknown]));
    let calls = [
        call("subnet", "private.eu-west-1a", &[("zone", "eu-west-1a")]),
        call("launch_template", "main", &[("instance_type", "t4g.small")]),
        group,
    ];
    let asking = Asking::new(&calls, &[(200, &offered(&["eu-west-1a"]))], NOBODY);
    let told = shown(&machines(&asking.ahead()).await);
    assert!(told.contains("autoscaling_group.main: eu-west-1 offers no `t4g.tiny`"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
}

fn orderable(versions: &[&str]) -> String {
    let options: Vec<String> = versions
        .iter()
        .map(|version| {
            format!(
                "<OrderableDBInstanceOption><Engine>postgres</Engine><EngineVersion>{version}</EngineVersion>\
                 <DBInstanceClass>db.t4g.medium</DBInstanceClass><Vpc>true</Vpc></OrderableDBInstanceOption>"
            )
        })
        .collect();
    format!(
        "<DescribeOrderableDBInstanceOptionsResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\">\
         <DescribeOrderableDBInstanceOptionsResult><OrderableDBInstanceOptions>{}</OrderableDBInstanceOptions>\
         </DescribeOrderableDBInstanceOptionsResult></DescribeOrderableDBInstanceOptionsResponse>",
        options.concat()
    )
}

#[tokio::test]
async fn a_database_that_rds_has_not_is_told_with_what_it_has() {
    let told = |version: &'static str, answers: Vec<String>| async move {
        let calls = [call(
            "db_instance",
            "main",
            &[("engine", "postgres"), ("version", version), ("class", "db.t4g.medium")],
        )];
        let answers: Vec<(u16, &str)> = answers.iter().map(|answer| (200, answer.as_str())).collect();
        let asking = Asking::new(&calls, &answers, NOBODY);
        let found = shown(&engines(&asking.ahead()).await);
        assert_eq!(*asking.told.lock().unwrap(), Vec::<String>::new());
        found
    };
    let some = || orderable(&["15.4", "15.10", "16.3", "9.6.24"]);
    insta::assert_snapshot!(
        [
            told("15", vec![some()]).await,
            told("15.10", vec![some()]).await,
            told("15.99", vec![some()]).await,
            told("99", vec![some()]).await,
            told("15", vec![orderable(&[]), some()]).await,
            // An endpoint that knows no engine at all.
            told("15", vec![orderable(&[]), orderable(&[])]).await,
        ]
        .join("\n---\n")
    );
}
