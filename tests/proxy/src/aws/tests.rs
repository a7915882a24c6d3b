//! Each rule with calls and answers as they pass the proxy.

use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};

use super::*;
use crate::rule::{Fate, Rule, Verdict};

fn call(service: &str, form: &str) -> Call {
    let mut headers = HeaderMap::new();
    let signed = format!("AWS4-HMAC-SHA256 Credential=K/20260101/eu-west-1/{service}/aws4_request, X");
    headers.insert("authorization", HeaderValue::from_str(&signed).unwrap());
    Call::new(1, Method::POST, "/".into(), headers, form.to_owned().into())
}

/// What comes back to a call that moto would answer with `body`.
async fn through(rule: &dyn Rule, service: &str, form: &str, body: &str) -> String {
    let mut call = call(service, form);
    let mut answer = match rule.before(&mut call).await {
        Verdict::Pass => Answer::new(StatusCode::OK, body.to_owned()),
        Verdict::Answer(answer) => return things::body(&answer),
        Verdict::Drop => return "dropped".into(),
    };
    assert_eq!(rule.after(&call, &mut answer).await, Fate::Deliver);
    things::body(&answer)
}

const MADE: &str = "<CreateVpcResponse><vpc><vpcId>vpc-1</vpcId></vpc></CreateVpcResponse>";
const LISTED: &str = "<DescribeVpcsResponse><vpcSet><item><vpcId>vpc-0</vpcId></item>\
                      <item><tagSet/><vpcId>vpc-1</vpcId></item></vpcSet></DescribeVpcsResponse>";

#[tokio::test]
async fn what_was_just_made_is_neither_listed_nor_known_at_first() {
    let late = Late::new(1, 1);
    through(&late, "ec2", "Action=CreateVpc", MADE).await;
    let seen = through(&late, "ec2", "Action=DescribeVpcs", LISTED).await;
    assert_eq!(
        seen,
        "<DescribeVpcsResponse><vpcSet><item><vpcId>vpc-0</vpcId></item></vpcSet></DescribeVpcsResponse>"
    );
    assert_eq!(through(&late, "ec2", "Action=DescribeVpcs", LISTED).await, LISTED);
    let used = "Action=CreateSubnet&VpcId=vpc-1";
    assert!(through(&late, "ec2", used, "made").await.contains("<Code>InvalidVpcID.NotFound</Code>"));
    assert_eq!(through(&late, "ec2", used, "made").await, "made");
}

#[tokio::test]
async fn states_take_their_time_and_what_was_deleted_is_shown_until_it_is_gone() {
    let slow = Slow::new(1);
    let list = |status: &str| {
        format!(
            "<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances><DBInstance>\
             <DBInstanceIdentifier>d</DBInstanceIdentifier><DBInstanceStatus>{status}</DBInstanceStatus>\
             </DBInstance></DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>"
        )
    };
    let made = "<R><DBInstance><DBInstanceIdentifier>d</DBInstanceIdentifier></DBInstance></R>";
    through(&slow, "rds", "Action=CreateDBInstance", made).await;
    let ask = "Action=DescribeDBInstances&DBInstanceIdentifier=d";
    assert_eq!(through(&slow, "rds", ask, &list("available")).await, list("creating"));
    assert_eq!(through(&slow, "rds", ask, &list("available")).await, list("available"));
    through(&slow, "rds", "Action=DeleteDBInstance&DBInstanceIdentifier=d", "<R/>").await;
    // moto knows nothing of it any more.
    let empty = "<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances/></DescribeDBInstancesResult></DescribeDBInstancesResponse>";
    assert_eq!(through(&slow, "rds", ask, empty).await, list("deleting"));
    let gone = through(&slow, "rds", ask, empty).await;
    assert!(gone.contains("<DBInstances/>"), "{gone}");
    // A replication group is shown by moto as deleting for good.
    let list = "<R><ReplicationGroups><ReplicationGroup><ReplicationGroupId>r</ReplicationGroupId>\
                <Status>deleting</Status></ReplicationGroup></ReplicationGroups></R>";
    through(&slow, "elasticache", "Action=DeleteReplicationGroup&ReplicationGroupId=r", "<R/>").await;
    let ask = "Action=DescribeReplicationGroups&ReplicationGroupId=r";
    assert_eq!(through(&slow, "elasticache", ask, list).await, list);
    assert!(through(&slow, "elasticache", ask, list).await.contains("ReplicationGroupNotFoundFault"));
}

#[tokio::test]
async fn what_moto_cannot_delete_is_gone_until_it_is_made_again() {
    let ends = Ends::default();
    let list = "<R><CacheSubnetGroups><CacheSubnetGroup><CacheSubnetGroupName>g</CacheSubnetGroupName>\
                </CacheSubnetGroup></CacheSubnetGroups></R>";
    let ask = "Action=DescribeCacheSubnetGroups&CacheSubnetGroupName=g";
    assert_eq!(through(&ends, "elasticache", ask, list).await, list);
    let delete = call("elasticache", "Action=DeleteCacheSubnetGroup&CacheSubnetGroupName=g");
    let mut answer = Answer::new(StatusCode::INTERNAL_SERVER_ERROR, "<html>");
    ends.after(&delete, &mut answer).await;
    assert_eq!((answer.status, ends.gone().len()), (StatusCode::OK, 1));
    assert!(through(&ends, "elasticache", ask, list).await.contains("CacheSubnetGroupNotFoundFault"));
    through(&ends, "elasticache", "Action=CreateCacheSubnetGroup&CacheSubnetGroupName=g", "").await;
    assert_eq!(through(&ends, "elasticache", ask, list).await, list);
}

#[tokio::test]
async fn lists_come_in_pages_until_there_is_no_token() {
    let pages = Pages::of(1);
    let first = through(&pages, "ec2", "Action=DescribeVpcs", LISTED).await;
    assert!(
        first.contains("vpc-0") && !first.contains("vpc-1") && first.contains("<nextToken>page-1<"),
        "{first}"
    );
    let second = through(&pages, "ec2", "Action=DescribeVpcs&NextToken=page-1", LISTED).await;
    assert!(
        second.contains("vpc-1") && !second.contains("vpc-0") && !second.contains("nextToken"),
        "{second}"
    );
}

#[tokio::test]
async fn a_token_makes_one_thing_and_is_refused_with_other_parameters() {
    let tokens = Tokens::default();
    let form = "Action=CreateNatGateway&ClientToken=t&SubnetId=a";
    assert_eq!(through(&tokens, "ec2", form, "first").await, "first");
    assert_eq!(through(&tokens, "ec2", form, "second").await, "first");
    let other = through(&tokens, "ec2", "Action=CreateNatGateway&ClientToken=t&SubnetId=b", "third").await;
    assert!(other.contains("IdempotentParameterMismatch"), "{other}");
}

#[test]
fn elements_are_found_by_where_they_are() {
    let text = "<a><b><c>1</c></b><c>2</c><d/></a>";
    assert_eq!((xml::text(text, "c"), xml::own(xml::text(text, "a").unwrap(), "c")), (Some("1"), Some("2")));
    let names: Vec<_> = xml::elements(xml::text(text, "a").unwrap()).iter().map(|one| one.name).collect();
    assert_eq!(names, ["b", "c", "d"]);
    assert_eq!(xml::with_text(text, "c", "3"), "<a><b><c>3</c></b><c>2</c><d/></a>");
}

#[test]
fn looking_is_no_change() {
    let is = |form: &str| changes(&call("ec2", form));
    assert!(is("Action=CreateVpc") && is("Action=DeleteVpc") && is("Action=ModifyVpcAttribute"));
    assert!(!is("Action=DescribeVpcs") && !is("Action=GetParameter"));
}

#[tokio::test]
async fn a_certificate_is_issued_while_its_record_is_there() {
    let issues = Issues::default();
    let described = "{\"Certificate\":{\"Type\":\"AMAZON_ISSUED\",\"Status\":\"ISSUED\",\"DomainValidationOptions\":[\
                     {\"ResourceRecord\":{\"Name\":\"_x.example.net.\"}}]}}";
    let mut status = Vec::new();
    for action in ["UPSERT", "DELETE"] {
        for looks in [true, false] {
            let (mut call, body) = if looks {
                let mut call = call("acm", "");
                call.action = "DescribeCertificate".into();
                (call, described)
            } else {
                let change = format!(
                    "<Changes><Change><Action>{action}</Action><ResourceRecordSet><Name>_x.example.net</Name>\
                     </ResourceRecordSet></Change></Changes>"
                );
                let mut call = call("route53", &change);
                call.action = "POST /2013-04-01/hostedzone/Z1/rrset/".into();
                (call, "")
            };
            assert!(matches!(issues.before(&mut call).await, Verdict::Pass));
            let mut answer = Answer::new(StatusCode::OK, body);
            issues.after(&call, &mut answer).await;
            let told: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            status.extend(told["Certificate"]["Status"].as_str().map(str::to_owned));
        }
    }
    assert_eq!(status, ["PENDING_VALIDATION", "ISSUED"]);
}
