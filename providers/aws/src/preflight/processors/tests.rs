use super::*;
use crate::preflight::fixtures::{Asking, call};

const NOBODY: &str = "arn:aws:iam::123456789012:user/jane";

fn quota(value: &str) -> String {
    format!("{{\"Quota\":{{\"ServiceCode\":\"ec2\",\"QuotaCode\":\"L-1216C47A\",\"Value\":{value}}}}}")
}

/// Size, cores, threads of each, `spot` or nothing, and the group.
fn machines(machines: &[(&str, i64, i64, &str, &str)]) -> String {
    let each = machines.iter().map(|(size, cores, threads, lifecycle, group)| {
        let lifecycle = match *lifecycle {
            "" => String::new(),
            word => format!("<instanceLifecycle>{word}</instanceLifecycle>"),
        };
        format!(
            "<item><instancesSet><item><instanceId>i-1</instanceId><instanceType>{size}</instanceType>{lifecycle}\
             <placement><tenancy>default</tenancy></placement>\
             <cpuOptions><coreCount>{cores}</coreCount><threadsPerCore>{threads}</threadsPerCore></cpuOptions>\
             <tagSet><item><key>aws:autoscaling:groupName</key><value>{group}</value></item></tagSet></item></instancesSet></item>"
        )
    });
    let each: Vec<String> = each.collect();
    format!(
        "<DescribeInstancesResponse><reservationSet>{}</reservationSet></DescribeInstancesResponse>",
        each.concat()
    )
}

fn sizes(sizes: &[(&str, i64)]) -> String {
    let each = sizes.iter().map(|(size, vcpus)| {
        format!(
            "<item><instanceType>{size}</instanceType><vCpuInfo><defaultVCpus>{vcpus}</defaultVCpus></vCpuInfo></item>"
        )
    });
    let each: Vec<String> = each.collect();
    format!(
        "<DescribeInstanceTypesResponse><instanceTypeSet>{}</instanceTypeSet></DescribeInstanceTypesResponse>",
        each.concat()
    )
}

/// A new group of so many machines of a size.
fn new_group(size: &str, desired: i64) -> Vec<Call> {
    let mut group = call("autoscaling_group", "main", &[("name", "web")]);
    group.inputs.insert("desired".into(), Value::Int(desired));
    vec![call("launch_template", "main", &[("instance_type", size)]), group]
}

#[tokio::test]
async fn more_processors_than_the_account_may_run_are_told_with_the_three_numbers() {
    let calls = new_group("m7g.large", 4);
    // A bigger one of another family, and those on spot, have quotas of their own.
    let running = machines(&[
        ("c6i.4xlarge", 8, 2, "", "other"),
        ("t3.small", 1, 2, "", "other"),
        ("g5.48xlarge", 96, 2, "", "other"),
        ("m5.large", 1, 2, "spot", "other"),
    ]);
    for (most, told) in [("26.0", 0), ("25.0", 1)] {
        let answers = [(200, quota(most)), (200, running.clone()), (200, sizes(&[("m7g.large", 2)]))];
        let answers: Vec<(u16, &str)> =
            answers.iter().map(|(status, body)| (*status, body.as_str())).collect();
        let asking = Asking::new(&calls, &answers, NOBODY);
        let found = ask(&asking.ahead()).await;
        assert_eq!(found.len(), told, "{most}");
        assert_eq!(asking.recorded.asked().len(), 3);
        if let Some(Obstacle { error, calls }) = found.first() {
            assert_eq!(
                error.to_string(),
                "could not run the new machines in eu-west-1: the account may run 25 vCPUs of On-Demand Standard instances \
                 there, runs 18, and the plan adds 8"
            );
            let hint = error.hint.as_ref().unwrap();
            assert!(
                hint.contains("--quota-code L-1216C47A") && hint.contains("--desired-value 26"),
                "{hint}"
            );
            assert_eq!(*calls, [1]);
        }
    }
}

#[tokio::test]
async fn a_group_that_grows_adds_machines_as_it_has() {
    let mut group = call("autoscaling_group", "main", &[("name", "web")]);
    group.id = Some("web".into());
    group.prior.insert("desired".into(), Value::Int(2));
    group.inputs.insert("desired".into(), Value::Int(5));
    let calls = [group];
    let running = machines(&[("m5.xlarge", 2, 2, "", "web"), ("m5.xlarge", 2, 2, "", "web")]);
    let (most, each) = (quota("19"), sizes(&[("m5.xlarge", 4)]));
    let asking = Asking::new(&calls, &[(200, &most), (200, &running), (200, &each)], NOBODY);
    let found = ask(&asking.ahead()).await;
    let [Obstacle { error, .. }] = &found[..] else { panic!("{found:?}") };
    assert!(
        error.to_string().ends_with(
            "may run 19 vCPUs of On-Demand Standard instances there, runs 8, and the plan adds 12"
        )
    );
}

#[tokio::test]
async fn machines_on_spot_count_apart_and_of_several_sizes_the_smallest() {
    let mut calls = new_group("m5.large", 10);
    let mixed = [
        ("types", Value::text("m5.xlarge, m5.large")),
        ("on_demand_base", Value::Int(2)),
        ("on_demand_percent", Value::Int(25)),
    ];
    let mixed: Map = mixed.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    calls[1].inputs.insert("mixed".into(), mixed.into());
    let (running, each) = (machines(&[]), sizes(&[("m5.large", 2), ("m5.xlarge", 4)]));
    // Four on demand, six on spot.
    let (on_demand, spot) = (quota("8"), quota("11"));
    let answers = [(200, &*on_demand), (200, &*spot), (200, &*running), (200, &*each)];
    let asking = Asking::new(&calls, &answers, NOBODY);
    let found = ask(&asking.ahead()).await;
    let [Obstacle { error, .. }] = &found[..] else { panic!("{found:?}") };
    assert!(
        error
            .to_string()
            .ends_with("may run 11 vCPUs of Standard Spot instances there, runs 0, and the plan adds 12"),
        "{error}"
    );
    assert!(asking.recorded.asked()[1].contains("L-34B43A08"));
}

#[tokio::test]
async fn a_quota_that_nobody_knows_hinders_nothing_and_who_may_not_ask_is_told_so() {
    let calls = new_group("m5.large", 4);
    let unknown = "{\"__type\":\"NoSuchResourceException\",\"Message\":\"The request failed\"}";
    let asking = Asking::new(&calls, &[(400, unknown), (400, unknown)], NOBODY);
    assert_eq!(ask(&asking.ahead()).await.len(), 0);
    assert_eq!((asking.recorded.asked().len(), asking.told.lock().unwrap().len()), (2, 0));

    let denied = "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>not authorized</Message></Error></Errors>\
                  <RequestID>1</RequestID></Response>";
    let most = quota("1");
    let asking = Asking::new(&calls, &[(200, &most), (403, denied)], NOBODY);
    assert_eq!(ask(&asking.ahead()).await.len(), 0);
    let told = asking.told.lock().unwrap().clone();
    assert!(
        told[0].starts_with("the quota of processors was not checked beforehand: ec2:DescribeInstances"),
        "{told:?}"
    );
}

#[tokio::test]
async fn nothing_is_asked_for_a_plan_that_adds_no_machines_of_these_families() {
    let mut shrinks = call("autoscaling_group", "main", &[("name", "web")]);
    shrinks.id = Some("web".into());
    shrinks.prior.insert("desired".into(), Value::Int(5));
    shrinks.inputs.insert("desired".into(), Value::Int(2));
    for calls in
        [vec![shrinks], vec![call("vpc", "main", &[])], new_group("g5.xlarge", 4), new_group("m5.large", 0)]
    {
        let asking = Asking::new(&calls, &[], NOBODY);
        assert_eq!(ask(&asking.ahead()).await.len(), 0);
        assert_eq!(asking.recorded.asked(), Vec::<String>::new());
    }
}

#[test]
fn families_are_told_by_the_letters_before_their_generation() {
    for size in
        ["a1.large", "m5zn.large", "im4gn.large", "is4gen.large", "t4g.micro", "z1d.large", "c7gd.metal"]
    {
        assert!(is_standard(size), "{size}");
    }
    for size in [
        "g5.xlarge",
        "p4d.24xlarge",
        "inf1.xlarge",
        "hpc6a.48xlarge",
        "mac1.metal",
        "u-6tb1.metal",
        "x2gd.large",
    ] {
        assert!(!is_standard(size), "{size}");
    }
}
