//! Records of ACM beside those of other accounts and stacks.

use super::*;
use crate::recorded::{Answer, scripted, with_job};

const OURS: (&str, &str) = ("_a1.www.example.net", "_v1.acm-validations.aws");
const THEIRS: (&str, &str) = ("_b2.www.example.net", "_v2.acm-validations.aws");

fn listed(records: &[(&str, &str)]) -> (&'static str, Answer) {
    let shown = |(name, value): &(&str, &str)| {
        format!(
            "<ResourceRecordSet><Name>{name}.</Name><Type>CNAME</Type><TTL>300</TTL><ResourceRecords><ResourceRecord>\
             <Value>{value}.</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>"
        )
    };
    let records: String = records.iter().map(shown).collect();
    (
        "ListResourceRecordSets",
        Answer::ok(format!(
            "<ListResourceRecordSetsResponse><ResourceRecordSets>{records}</ResourceRecordSets><IsTruncated>false</IsTruncated>\
             <MaxItems>300</MaxItems></ListResourceRecordSetsResponse>"
        )),
    )
}

fn zone() -> (&'static str, Answer) {
    (
        "ListHostedZones",
        Answer::ok(
            "<ListHostedZonesResponse><HostedZones><HostedZone><Id>/hostedzone/Z1</Id><Name>example.net.</Name>\
             <CallerReference>a</CallerReference></HostedZone></HostedZones><IsTruncated>false</IsTruncated>\
             <MaxItems>100</MaxItems></ListHostedZonesResponse>",
        ),
    )
}

fn tagged(stack: &str) -> (&'static str, Answer) {
    (
        "ListTagsForResources",
        Answer::ok(format!(
            "<ListTagsForResourcesResponse><ResourceTagSets><ResourceTagSet><ResourceType>hostedzone</ResourceType>\
             <ResourceId>Z1</ResourceId><Tags><Tag><Key>standfast:stack</Key><Value>{stack}</Value></Tag>\
             <Tag><Key>standfast:environment</Key><Value>default</Value></Tag></Tags></ResourceTagSet></ResourceTagSets>\
             </ListTagsForResourcesResponse>"
        )),
    )
}

fn changed() -> (&'static str, Answer) {
    (
        "ChangeResourceRecordSets",
        Answer::ok(
            "<ChangeResourceRecordSetsResponse><ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status>\
             <SubmittedAt>2026-01-02T03:04:05Z</SubmittedAt></ChangeInfo></ChangeResourceRecordSetsResponse>",
        ),
    )
}

fn certificate(in_use: bool) -> (&'static str, Answer) {
    let body = format!(
        "{{\"CertificateSummaryList\":[{{\"CertificateArn\":\"arn\",\"DomainName\":\"*.www.example.net\",\
         \"Type\":\"AMAZON_ISSUED\",\"InUse\":{in_use}}}]}}"
    );
    ("ListCertificates", Answer::ok(body))
}

fn inputs(name: &str) -> Map {
    map([
        ("zone", "Z1".into()),
        ("domain", "www.example.net".into()),
        ("name", name.into()),
        ("value", OURS.1.into()),
    ])
}

/// The id that a record gets, and whether it was put.
async fn made(answers: Vec<(&'static str, Answer)>) -> (String, bool) {
    let (site, endpoint) = scripted(answers);
    let id = with_job(&site, KIND.name, inputs(OURS.0), Map::new(), async |job| {
        ValidationRecord.make(job).await.unwrap()
    });
    (id.await, endpoint.actions().contains(&"ChangeResourceRecordSets".to_owned()))
}

#[tokio::test]
async fn what_was_in_a_zone_of_others_before_us_is_not_made() {
    let id = |came: &str| format!("Z1/{}{came}", OURS.0);
    assert_eq!(made(vec![zone(), tagged("shop"), changed()]).await, (id(""), true));
    assert_eq!(made(vec![zone(), tagged("other"), listed(&[THEIRS]), changed()]).await, (id(MADE), true));
    assert_eq!(made(vec![zone(), tagged("other"), listed(&[THEIRS, OURS])]).await, (id(FOUND), false));
}

/// Whether a record is deleted, and only it.
async fn removed(id: &str, answers: Vec<(&'static str, Answer)>) -> bool {
    let (site, endpoint) = scripted(answers.into_iter().chain([changed()]));
    match ValidationRecord.remove(&site, id, &inputs(OURS.0)).await {
        Err(failure) => assert_eq!(failure.trouble, Trouble::NotFound, "{failure:?}"),
        Ok(()) => {
            let asked = endpoint.asked();
            let change = asked.last().unwrap();
            assert!(change.contains(OURS.0) && !change.contains(THEIRS.0), "{change}");
            return true;
        }
    }
    false
}

#[tokio::test]
async fn only_ours_is_deleted_and_not_where_others_need_it() {
    let both = || listed(&[THEIRS, OURS]);
    let id = |came: &str| format!("Z1/{}{came}", OURS.0);
    assert!(removed(&id(""), vec![both()]).await);
    assert!(removed("Z1/www.example.net", vec![both()]).await, "the id of an earlier build");
    assert!(removed(&id(MADE), vec![both(), certificate(false)]).await);
    assert!(!removed(&id(MADE), vec![both(), certificate(true)]).await);
    assert!(!removed(&id(FOUND), vec![both()]).await);
    assert!(!removed(&id(""), vec![listed(&[THEIRS])]).await);
}

/// Ids of what is seen.
async fn seen(ids: Option<&[&str]>, records: &[(&str, &str)]) -> Vec<String> {
    let stack = crate::recorded::stack();
    let (site, _) = scripted([zone(), tagged("shop"), listed(records)]);
    let select = ids.map_or(Select::Stack(&stack), Select::Ids);
    super::super::look(&ValidationRecord, &site, select).await.unwrap().into_iter().map(|it| it.id).collect()
}

#[tokio::test]
async fn records_of_one_domain_are_told_apart() {
    let id = format!("Z1/{}{MADE}", OURS.0);
    assert_eq!(seen(Some(&[&id]), &[THEIRS, OURS]).await, [id.as_str()]);
    assert_eq!(seen(Some(&[&id]), &[THEIRS]).await, Vec::<String>::new());
    let old = "Z1/www.example.net";
    assert_eq!(seen(Some(&[old]), &[OURS]).await, [old]);
    assert_eq!(seen(Some(&[old]), &[THEIRS, OURS]).await, Vec::<String>::new());
    assert_eq!(seen(None, &[OURS]).await, [format!("Z1/{}", OURS.0)]);
    assert_eq!(seen(None, &[THEIRS, OURS]).await, Vec::<String>::new());
}

#[tokio::test]
async fn another_name_is_another_record() {
    let (site, endpoint) = scripted([]);
    let record = Read { name: THEIRS.0.into(), domain: "www.example.net".into(), value: THEIRS.1.into() };
    let seen = seen_as(&record, "Z1/x".into(), "Z1", "example.net", &Tags::new()).unwrap();
    let refused = with_job(&site, KIND.name, inputs(OURS.0), Map::new(), async |job| {
        ValidationRecord.fit(job, &seen).await.unwrap_err()
    });
    assert!(refused.await.message.contains("`standfast state rm "));
    assert_eq!(endpoint.actions(), Vec::<String>::new());
}
