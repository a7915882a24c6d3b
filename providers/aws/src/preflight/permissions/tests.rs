use super::{
    needs::{ADD_TAGS, TAG_CACHE, TAG_EC2, TAG_RDS},
    *,
};
use standfast_contract::Map;

use crate::preflight::fixtures::{Asking, call};

const DEPLOY: &str = "arn:aws:sts::123456789012:assumed-role/deploy/jane";

fn role() -> String {
    "<GetRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><GetRoleResult><Role><Path>/ci/</Path>\
     <RoleName>deploy</RoleName><RoleId>AROA1</RoleId><Arn>arn:aws:iam::123456789012:role/ci/deploy</Arn>\
     <CreateDate>2026-01-01T00:00:00Z</CreateDate></Role></GetRoleResult></GetRoleResponse>"
        .into()
}

/// Action, decision, missing context.
fn simulated(results: &[(&str, &str, &str)]) -> String {
    let members: Vec<String> = results
        .iter()
        .map(|(action, decision, missing)| {
            let missing =
                if missing.is_empty() { String::new() } else { format!("<member>{missing}</member>") };
            format!(
                "<member><EvalActionName>{action}</EvalActionName><EvalResourceName>*</EvalResourceName>\
                 <EvalDecision>{decision}</EvalDecision><MatchedStatements/>\
                 <MissingContextValues>{missing}</MissingContextValues></member>"
            )
        })
        .collect();
    format!(
        "<SimulatePrincipalPolicyResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
         <SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults>{}</EvaluationResults>\
         </SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>",
        members.concat()
    )
}

const DENIED: &str = "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type>\
     <Code>AccessDenied</Code><Message>User: jane is not authorized to perform: iam:SimulatePrincipalPolicy</Message>\
     </Error><RequestId>1</RequestId></ErrorResponse>";

#[tokio::test]
async fn what_is_denied_is_told_at_once_with_who_needs_it() {
    let calls = [call("vpc", "main", &[]), call("db_instance", "main", &[("name", "shop-orders-1")])];
    let first = simulated(&[
        ("ec2:CreateVpc", "implicitDeny", ""),
        ("ec2:ModifyVpcAttribute", "allowed", ""),
        ("ec2:CreateTags", "allowed", ""),
        ("rds:CreateDBInstance", "implicitDeny", ""),
        ("rds:AddTagsToResource", "explicitDeny", "aws:RequestTag/team"),
    ]);
    // For the very database it is allowed, for no VPC.
    let second = simulated(&[
        ("ec2:CreateVpc", "explicitDeny", ""),
        ("rds:CreateDBInstance", "implicitDeny", ""),
        ("rds:CreateDBInstance", "allowed", ""),
        // Only who gives the tag `team` is denied it, and nobody knows that beforehand.
        ("rds:AddTagsToResource", "explicitDeny", "aws:RequestTag/team"),
    ]);
    let asking = Asking::new(&calls, &[(200, &role()), (200, &first), (200, &second)], DEPLOY);
    let obstacles = ask(&asking.ahead()).await;
    let [obstacle] = &obstacles[..] else { panic!("{obstacles:?}") };
    assert_eq!(
        obstacle.error.to_string(),
        format!(
            "could not do what is planned in eu-west-1: the policies of {DEPLOY} do not allow ec2:CreateVpc (for \
             refuge/networks.main/vpc.main)"
        )
    );
    assert_eq!(obstacle.calls, [0]);
    let asked = asking.recorded.asked();
    assert!(
        asked[1].contains("PolicySourceArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fci%2Fdeploy"),
        "{asked:?}"
    );
    assert!(asked[1].contains("aws%3ARequestedRegion") && !asked[1].contains("ResourceArns"), "{asked:?}");
    assert!(
        asked[2].contains("arn%3Aaws%3Ards%3Aeu-west-1%3A123456789012%3Adb%3Ashop-orders-1"),
        "{asked:?}"
    );
    assert_eq!(*asking.told.lock().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn who_may_not_ask_is_told_so_once_and_goes_on() {
    let calls = [call("vpc", "main", &[])];
    let asking = Asking::new(&calls, &[(403, DENIED), (403, DENIED)], DEPLOY);
    assert_eq!(ask(&asking.ahead()).await.len(), 0);
    let told = asking.told.lock().unwrap().clone();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("what the plan may do was not checked beforehand: iam:SimulatePrincipalPolicy"),
        "{told:?}"
    );
}

#[tokio::test]
async fn of_many_calls_each_action_is_asked_about_with_its_own_things() {
    let mut calls: Vec<Call> = (0..60)
        .map(|at| call("db_instance", &format!("d{at}"), &[("name", &format!("shop-d{at}"))]))
        .collect();
    calls.push(call("vpc", "main", &[]));
    let all =
        |decision| simulated(&[("ec2:CreateVpc", decision, ""), ("rds:CreateDBInstance", decision, "")]);
    let answers = [(200, &*all("implicitDeny")), (200, &*all("allowed"))];
    let asking = Asking::new(&calls, &answers, "arn:aws:iam::123456789012:user/jane");
    assert_eq!(ask(&asking.ahead()).await.len(), 0);
    let asked = asking.recorded.asked();
    assert!(asked[1].contains("vpc%2Fnew") && asked[1].contains("db%3Ashop-d0"), "{asked:?}");
    assert_eq!(asked[1].matches("ResourceArns.member").count(), 4, "{asked:?}");
}

#[tokio::test]
async fn only_what_a_change_calls_is_asked_for() {
    let mut change = call("autoscaling_group", "main", &[("name", "web")]);
    change.id = Some("web".into());
    change.changed = vec!["max".into()];
    let calls = [change];
    let asking = Asking::new(&calls, &[(200, &simulated(&[]))], "arn:aws:iam::123456789012:user/jane");
    assert_eq!(ask(&asking.ahead()).await.len(), 0);
    let asked = asking.recorded.asked();
    assert_eq!(asked.len(), 1);
    let actions = asked[0].matches("ActionNames.member").count();
    assert!(actions == 1 && asked[0].contains("autoscaling%3AUpdateAutoScalingGroup"), "{asked:?}");
}

#[tokio::test]
async fn what_is_deleted_is_asked_for_too_and_what_is_replaced_is_made_and_deleted() {
    let there = |kind: &str, id: &str, changed: &[&str]| Call {
        id: Some(id.into()),
        changed: changed.iter().map(|key| (*key).to_owned()).collect(),
        ..call(kind, "main", &[])
    };
    let calls = [there("subnet", "subnet-1", &["cidr"])];
    let deletes = [there("subnet", "subnet-1", &["cidr"]), there("vpc", "vpc-7", &[])];
    let answer = simulated(&[
        ("ec2:CreateSubnet", "allowed", ""),
        ("ec2:DeleteSubnet", "allowed", ""),
        ("ec2:DeleteVpc", "implicitDeny", ""),
    ]);
    let answers = [(200, &*answer), (200, &*answer)];
    let mut asking = Asking::new(&calls, &answers, "arn:aws:iam::123456789012:user/jane");
    asking.deletes = &deletes;
    let obstacles = ask(&asking.ahead()).await;
    let [obstacle] = &obstacles[..] else { panic!("{obstacles:?}") };
    let told = obstacle.error.to_string();
    assert!(told.ends_with("do not allow ec2:DeleteVpc (for refuge/networks.main/vpc.main)"), "{told}");
    assert_eq!(obstacle.calls, Vec::<usize>::new());
    let asked = asking.recorded.asked();
    for action in ["CreateSubnet", "DeleteSubnet", "DeleteVpc"] {
        assert!(asked[0].contains(&format!("ec2%3A{action}")), "{asked:?}");
    }
    assert!(!asked[0].contains("ModifySubnetAttribute"), "{asked:?}");
    assert!(asked[1].contains("vpc%2Fvpc-7"), "{asked:?}");
}

/// RDS makes a password where the blueprint gives none, and a list of rules has rules.
#[tokio::test]
async fn what_is_asked_for_or_left_out_of_a_create_needs_more() {
    let given =
        |kind: &str, inputs: &[(&str, &str)]| call(kind, "main", &[inputs, &[("name", "one")]].concat());
    for (call, action, needs) in [
        (given("db_instance", &[]), "CreateSecret", true),
        (given("db_instance", &[("password", "x")]), "CreateSecret", false),
        (given("db_cluster", &[("global_cluster", "x")]), "CreateSecret", false),
        (given("listener", &[]), "CreateRule", false),
        (given("listener", &[("rules", "x")]), "CreateRule", true),
    ] {
        let calls = [call];
        let asking = Asking::new(&calls, &[(200, &simulated(&[]))], "arn:aws:iam::123456789012:user/jane");
        assert_eq!(ask(&asking.ahead()).await.len(), 0);
        let asked = asking.recorded.asked().remove(0);
        assert_eq!(asked.contains(action), needs, "{}: {asked}", calls[0].address);
    }
}

#[tokio::test]
async fn who_drops_a_tag_must_be_allowed_to() {
    let tags = |keys: &[&str]| -> Map {
        let tags: Map = keys.iter().map(|key| ((*key).to_owned(), "x".into())).collect();
        [("tags".to_owned(), tags.into())].into()
    };
    for (now, needs) in [(&["team"][..], true), (&["team", "cost"], false)] {
        let changed = Call {
            id: Some("vpc-1".into()),
            changed: vec!["tags".into()],
            inputs: tags(now),
            prior: tags(&["team", "cost"]),
            ..call("vpc", "main", &[])
        };
        let calls = [changed];
        let asking = Asking::new(&calls, &[(200, &simulated(&[]))], "arn:aws:iam::123456789012:user/jane");
        assert_eq!(ask(&asking.ahead()).await.len(), 0);
        assert_eq!(asking.recorded.asked()[0].contains("DeleteTags"), needs, "{now:?}");
    }
}

#[test]
fn a_thing_that_is_there_is_asked_about_by_its_own_arn() {
    let needs = |kind: &str| NEEDS.iter().find(|needs| needs.kind == kind).unwrap();
    let of = |kind: &str, id: Option<&str>, inputs: &[(&str, &str)]| {
        let call = Call { id: id.map(str::to_owned), ..call(kind, "main", inputs) };
        arns(needs(kind), &call, "eu-west-1", "aws", "123456789012")
    };
    assert_eq!(of("vpc", Some("vpc-7"), &[]), ["arn:aws:ec2:eu-west-1:123456789012:vpc/vpc-7"]);
    let arn = "arn:aws:rds:eu-west-1:123456789012:db:shop-orders-1";
    let secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-new";
    assert_eq!(of("db_instance", Some(arn), &[("name", "shop-orders-1")]), [arn, secret]);
    assert_eq!(of("db_instance", None, &[("name", "shop-orders-1")]), [arn, secret]);
    assert_eq!(
        of("load_balancer", None, &[("name", "shop-raw-1"), ("type", "network")]),
        ["arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/net/shop-raw-1/new"]
    );
    assert_eq!(of("dns_record", None, &[("zone", "Z1")]), ["arn:aws:route53:::hostedzone/Z1"]);
    assert_eq!(of("instance_profile", None, &[("name", "shop-web-1")]).len(), 2);
}

#[tokio::test]
async fn the_root_user_and_guests_are_not_asked_about() {
    let calls = [call("vpc", "main", &[])];
    for arn in ["arn:aws:iam::123456789012:root", "arn:aws:sts::123456789012:federated-user/jane"] {
        let asking = Asking::new(&calls, &[], arn);
        assert_eq!(ask(&asking.ahead()).await.len(), 0);
        assert!(asking.recorded.asked().is_empty());
    }
}

/// `ec2:CreateVpc`, and nothing that only looks.
fn is_change(word: &str) -> bool {
    let looks = ["Describe", "Get", "List"];
    word.split_once(':').is_some_and(|(service, action)| {
        !service.is_empty()
            && service.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            && action.starts_with(|c: char| c.is_ascii_uppercase())
            && action.bytes().all(|b| b.is_ascii_alphanumeric())
            && !looks.iter().any(|verb| action.starts_with(verb))
            // Of the trust policy of a role.
            && word != "sts:AssumeRole"
    })
}

/// The table names what the kinds call: each action of it stands in its kind's source, and each change in a kind's source
/// in the table.
#[test]
fn the_table_names_what_the_kinds_call() {
    // What AWS itself calls for them, or all kinds of a service have in common.
    let elsewhere =
        [TAG_EC2, ADD_TAGS, TAG_RDS, TAG_CACHE, "ec2:RunInstances", "iam:PassRole", "iam:TagInstanceProfile"];
    // Kinds that do it alike.
    let shared = [
        ("db_replica", "db_instance"),
        ("db_copy", "db_instance"),
        ("db_cluster_instance", "db_instance"),
        ("hosted_zone", "route53"),
        ("health_check", "route53"),
        ("requested_certificate", "certificate"),
        ("validation_record", "dns_record"),
    ];
    let folder = format!("{}/src/kinds", env!("CARGO_MANIFEST_DIR"));
    let read = |path: std::path::PathBuf| std::fs::read_to_string(path).unwrap();
    let mut wrong = Vec::new();
    for needs in NEEDS {
        let kind = needs.kind;
        let parts = std::fs::read_dir(format!("{folder}/{kind}")).into_iter().flatten();
        let parts = parts
            .map(|part| part.unwrap().path())
            .filter(|path| path.is_file() && !path.ends_with("tests.rs"));
        let own: String = [format!("{folder}/{kind}.rs").into()].into_iter().chain(parts).map(read).collect();
        let others = shared.iter().filter(|(alike, _)| *alike == kind);
        let others: String = others.map(|(_, with)| read(format!("{folder}/{with}.rs").into())).collect();
        let updates = needs.update.iter().map(|(_, action)| action);
        let with = WITH.iter().filter(|(of, ..)| *of == kind).map(|(.., action)| action);
        let actions: BTreeSet<&str> =
            needs.create.iter().chain(needs.delete).chain(updates).chain(with).copied().collect();
        let is_called = |action: &str| (own.clone() + &others).contains(&format!("\"{action}\""));
        let strange = actions.iter().filter(|action| !elsewhere.contains(action) && !is_called(action));
        wrong.extend(strange.map(|action| format!("{kind} does not call {action}")));
        let is_untag = |action: &str| UNTAG.iter().any(|(_, untag)| *untag == action);
        let called: BTreeSet<&str> = own.split('"').filter(|word| is_change(word)).collect();
        let missing = called.difference(&actions).filter(|action| !is_untag(action));
        wrong.extend(missing.map(|action| format!("{kind} calls {action}, which is not in the table")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
