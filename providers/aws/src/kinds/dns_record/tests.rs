use super::*;

#[test]
fn a_record_is_known_by_its_name_within_the_zone() {
    assert_eq!(label("www.example.net", "example.net", None), "www");
    assert_eq!(label("example.net", "example.net", None), "apex");
    assert_eq!(label(&plain("\\052.shop.example.net."), "example.net", Some("front")), "wildcard.shop.front");
}

#[test]
fn a_record_of_a_zone_of_ours_carries_its_marks() {
    let alias = AliasTarget::builder()
        .dns_name("Front-1.eu-west-1.elb.amazonaws.com.")
        .hosted_zone_id("Z32O12XQLNTSW2")
        .evaluate_target_health(true)
        .build()
        .unwrap();
    let record = ResourceRecordSet::builder()
        .name("www.example.net.")
        .r#type(RrType::A)
        .set_identifier("front")
        .failover(ResourceRecordSetFailover::Primary)
        .alias_target(alias)
        .build()
        .unwrap();
    let tags = Tags::from([(marks::ADDRESS.to_owned(), "refuge/dns.main/hosted_zone.main".to_owned())]);
    let seen = seen_as(&record, "Z1", "example.net", &tags).unwrap();
    assert_eq!(seen.id, "Z1/www.example.net/front");
    assert_eq!(seen.tags[marks::ADDRESS], "refuge/dns.main/dns_record.www.front");
    assert_eq!(seen.attributes["target"], Value::text("front-1.eu-west-1.elb.amazonaws.com"));
    assert_eq!(seen.attributes["failover"], Value::text("PRIMARY"));
}

fn record(set: Option<&str>, failover: Option<&str>, region: Option<&str>) -> ResourceRecordSet {
    let alias = AliasTarget::builder().dns_name("front-1.elb.amazonaws.com").hosted_zone_id("Z32O12XQLNTSW2");
    ResourceRecordSet::builder()
        .name("www.example.net.")
        .r#type(RrType::A)
        .set_set_identifier(set.map(str::to_owned))
        .set_failover(failover.map(ResourceRecordSetFailover::from))
        .set_region(region.map(ResourceRecordSetRegion::from))
        .alias_target(alias.evaluate_target_health(true).build().unwrap())
        .build()
        .unwrap()
}

/// What is changed to have a record among those that stand, of which the displaced ones go.
fn changed(wanted: &ResourceRecordSet, standing: &[ResourceRecordSet], displaced: &[&str]) -> Vec<String> {
    let inputs = map([
        ("name", "www.example.net".into()),
        ("set", text(wanted.set_identifier())),
        ("failover", text(routing(wanted).0)),
        ("latency_region", text(routing(wanted).1)),
    ]);
    let goes = |record: &ResourceRecordSet| displaced.contains(&record.set_identifier().unwrap_or_default());
    let changes = changes(wanted.clone(), &inputs, standing, goes).unwrap();
    let shown = changes.iter().map(|change| {
        let record = change.resource_record_set().unwrap();
        let (place, region) = routing(record);
        let set = record.set_identifier().unwrap_or("simple");
        format!("{} {set} {}", change.action(), place.or(region).unwrap_or_default()).trim_end().to_owned()
    });
    shown.collect()
}

#[test]
fn a_record_takes_the_place_of_those_that_exclude_it_in_one_batch() {
    let simple = record(None, None, None);
    let [front, back] = ["PRIMARY", "SECONDARY"]
        .map(|place| record(Some(if place == "PRIMARY" { "front" } else { "back" }), Some(place), None));
    let near = record(Some("front"), None, Some("eu-west-1"));
    let standing = [front.clone(), back.clone()];
    assert_eq!(changed(&front, &[], &[]), ["UPSERT front PRIMARY"]);
    assert_eq!(changed(&back, &standing[..1], &[]), ["UPSERT back SECONDARY"]);
    // From one way to another.
    let one = std::slice::from_ref(&simple);
    assert_eq!(changed(&front, one, &[""]), ["DELETE simple", "UPSERT front PRIMARY"]);
    assert_eq!(changed(&near, one, &[""]), ["DELETE simple", "UPSERT front eu-west-1"]);
    assert_eq!(
        changed(&simple, &standing, &["front", "back"]),
        ["DELETE front PRIMARY", "DELETE back SECONDARY", "UPSERT simple"]
    );
    assert_eq!(changed(&front, one, &[]), ["UPSERT front PRIMARY"], "somebody's: Route 53 refuses it");
    // The first of two that change places, and the second, which finds it done.
    let [front_after, back_after] = ["SECONDARY", "PRIMARY"]
        .map(|place| record(Some(if place == "SECONDARY" { "front" } else { "back" }), Some(place), None));
    assert_eq!(
        changed(&front_after, &standing, &[]),
        ["DELETE front PRIMARY", "DELETE back SECONDARY", "CREATE front SECONDARY", "CREATE back PRIMARY"]
    );
    let standing = [front_after, back_after.clone()];
    assert_eq!(changed(&back_after, &standing, &[]), ["UPSERT back PRIMARY"]);
}

#[tokio::test]
async fn one_whose_place_is_taken_by_another_waits_and_finds_itself_gone() {
    let answer = |records: &str| {
        format!(
            "<ListResourceRecordSetsResponse><ResourceRecordSets>{records}</ResourceRecordSets><IsTruncated>false</IsTruncated>\
             <MaxItems>300</MaxItems></ListResourceRecordSetsResponse>"
        )
    };
    let there = "<ResourceRecordSet><Name>www.example.net.</Name><Type>A</Type><AliasTarget>\
         <HostedZoneId>Z32O12XQLNTSW2</HostedZoneId><DNSName>front-1.elb.amazonaws.com.</DNSName>\
         <EvaluateTargetHealth>true</EvaluateTargetHealth></AliasTarget></ResourceRecordSet>";
    let (site, endpoint) = crate::recorded::site(&[(200, &answer(there)), (200, &answer(""))]);
    site.displace(["Z1/www.example.net/".to_owned()].into());
    let waits = DnsRecord.remove(&site, "Z1/www.example.net/", &Map::new()).await.unwrap_err();
    assert_eq!(waits.trouble, Trouble::InUse);
    DnsRecord.remove(&site, "Z1/www.example.net/", &Map::new()).await.unwrap();
    assert!(endpoint.actions().iter().all(|action| action == "ListResourceRecordSets"));
}

#[tokio::test]
async fn a_change_that_another_one_has_overtaken_is_for_another_look() {
    let refusal = "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidChangeBatch</Code><Message>[Tried to delete resource \
         record set [name='www.example.net.', type='A'] but it was not found]</Message></Error></ErrorResponse>";
    let (site, _) = crate::recorded::site(&[(400, refusal)]);
    let changes = vec![written(ChangeAction::Delete, record(None, None, None)).unwrap()];
    assert_eq!(change_all(&site, "Z1", changes).await.unwrap_err().trouble, Trouble::Busy);
}
