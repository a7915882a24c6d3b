//! What ACM says of a certificate while it looks for the records, and when it does not issue it.
//! <https://docs.aws.amazon.com/acm/latest/APIReference/API_DescribeCertificate.html>

use super::*;
use crate::{
    kinds::{Wanted, listener::Listener, look},
    recorded::{Answer, context, scripted, site, site_that, stack, with_job},
};

const ARN: &str = "arn:aws:acm:eu-west-1:123456789012:certificate/12345678-1234-1234-1234-123456789012";

fn is(status: &str, more: &str) -> String {
    let validation = |name: &str| {
        format!(
            "{{\"DomainName\":\"{name}\",\"ValidationMethod\":\"DNS\",\"ValidationStatus\":\"PENDING_VALIDATION\",\
             \"ResourceRecord\":{{\"Name\":\"_x1.shop.example.net.\",\"Type\":\"CNAME\",\
             \"Value\":\"_x2.jkddzztszm.acm-validations.aws.\"}}}}"
        )
    };
    format!(
        "{{\"Certificate\":{{\"CertificateArn\":\"{ARN}\",\"DomainName\":\"shop.example.net\",\"Type\":\"AMAZON_ISSUED\",\
         \"SubjectAlternativeNames\":[\"shop.example.net\",\"*.shop.example.net\"],\"Status\":\"{status}\",\
         \"DomainValidationOptions\":[{},{}]{more}}}}}",
        validation("shop.example.net"),
        validation("*.shop.example.net")
    )
}

/// A listener's wait: what it came to, and what was told meanwhile.
async fn waited(answers: Vec<Answer>) -> (Result<(), Failure>, Vec<String>) {
    let (site, _) = scripted(answers.into_iter().map(|answer| ("DescribeCertificate", answer)));
    let (context, told) = context();
    let came = issued(&context, &site, ARN).await;
    let told = told.lock().unwrap().clone();
    (came, told)
}

#[tokio::test(start_paused = true)]
async fn it_is_waited_for_until_acm_has_seen_its_records() {
    let pending = || Answer::ok(is("PENDING_VALIDATION", ""));
    let (came, told) = waited(vec![pending(), pending(), Answer::ok(is("ISSUED", ""))]).await;
    came.unwrap();
    let line = "ACM looks for the validation record of shop.example.net: PENDING_VALIDATION";
    assert_eq!(told, [line, line]);
}

#[tokio::test(start_paused = true)]
async fn what_acm_does_not_issue_says_why_and_what_to_do() {
    let mut told = Vec::new();
    for (status, reason) in [
        ("FAILED", "CAA_ERROR"),
        ("FAILED", "ADDITIONAL_VERIFICATION_REQUIRED"),
        ("FAILED", "DOMAIN_NOT_ALLOWED"),
        ("FAILED", "OTHER"),
        ("VALIDATION_TIMED_OUT", ""),
        ("REVOKED", ""),
    ] {
        let more = if reason.is_empty() { String::new() } else { format!(",\"FailureReason\":\"{reason}\"") };
        let pending = Answer::ok(is("PENDING_VALIDATION", ""));
        let failure = waited(vec![pending, Answer::ok(is(status, &more))]).await.0.unwrap_err();
        assert_eq!(failure.trouble, Trouble::Refused);
        told.push(failure.message);
    }
    insta::assert_snapshot!(told.join("\n"));
}

/// The actions of a listener that is made, or moved to it.
async fn served(states: &[&str], is_there: bool) -> (Result<(), Failure>, Vec<String>) {
    let described = states.iter().map(|status| ("DescribeCertificate", Answer::ok(is(status, ""))));
    let done = if is_there { "ModifyListener" } else { "CreateListener" };
    let (site, recorded) = scripted(described.chain([(done, Answer::Empty)]));
    let inputs = map([
        ("load_balancer", "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/a/1".into()),
        ("port", 443_i64.into()),
        ("protocol", "HTTPS".into()),
        ("certificate", ARN.into()),
        ("awaits_certificate", true.into()),
    ]);
    let seen = Seen {
        id: "listener".into(),
        phase: Phase::Ready,
        tags: Tags::new(),
        attributes: map([("certificate", "arn:old".into())]),
        outputs: Map::new(),
        parts: Parts::new(),
    };
    let came = with_job(&site, "listener", inputs, Map::new(), async |job| match is_there {
        true => Listener.fit(job, &seen).await,
        // What is answered here names none.
        false => Listener.make(job).await.map(drop).or_else(|failure| match failure.trouble {
            Trouble::Lost => Ok(()),
            _ => Err(failure),
        }),
    });
    (came.await, recorded.actions())
}

#[tokio::test(start_paused = true)]
async fn a_listener_serves_with_it_once_it_is_issued_and_not_before() {
    for (is_there, done) in [(false, "CreateListener"), (true, "ModifyListener")] {
        let (came, actions) = served(&["PENDING_VALIDATION", "ISSUED"], is_there).await;
        came.unwrap();
        assert_eq!(actions, ["DescribeCertificate", "DescribeCertificate", done]);
        let (came, actions) = served(&["PENDING_VALIDATION", "VALIDATION_TIMED_OUT"], is_there).await;
        assert!(came.unwrap_err().message.contains("VALIDATION_TIMED_OUT"));
        assert_eq!(actions, ["DescribeCertificate", "DescribeCertificate"], "it goes on with what it had");
    }
}

/// The registrar of a zone that was just made does not know it yet.
#[tokio::test(start_paused = true)]
async fn who_waits_for_long_is_told_the_name_servers_of_the_zone() {
    let zone = |id: &str, name: &str| {
        format!(
            "<HostedZone><Id>/hostedzone/{id}</Id><Name>{name}</Name><CallerReference>{id}</CallerReference></HostedZone>"
        )
    };
    let zones = format!(
        "<ListHostedZonesResponse><HostedZones>{}{}{}</HostedZones><IsTruncated>false</IsTruncated><MaxItems>100</MaxItems>\
         </ListHostedZonesResponse>",
        zone("Z1", "net."),
        zone("Z2", "example.net."),
        zone("Z3", "op.example.net.")
    );
    let whole = format!(
        "<GetHostedZoneResponse>{}<DelegationSet><NameServers><NameServer>ns-1.awsdns-01.org</NameServer>\
         <NameServer>ns-2.awsdns-02.com</NameServer></NameServers></DelegationSet></GetHostedZoneResponse>",
        zone("Z2", "example.net.")
    );
    let mut looks = 0;
    let (mut site, _) = site_that(move |asked| {
        Some(match asked.action.as_str() {
            "ListHostedZones" => Answer::ok(&*zones),
            "GetHostedZone" if asked.line.contains("/Z2") => Answer::ok(&*whole),
            _ => {
                looks += 1;
                Answer::ok(is(if looks > 12 { "ISSUED" } else { "PENDING_VALIDATION" }, ""))
            }
        })
    });
    site.poll = Duration::from_secs(2);
    let (context, told) = context();
    issued(&context, &site, ARN).await.unwrap();
    let told = told.lock().unwrap();
    let line = "ACM looks for the validation record of shop.example.net: PENDING_VALIDATION";
    assert_eq!(told[0], line);
    assert_eq!(
        told[told.len() - 1],
        format!(
            "{line}; the registrar of example.net must name its servers: ns-1.awsdns-01.org, ns-2.awsdns-02.com"
        )
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever() {
    let (mut site, _) = site_that(|_| Some(Answer::ok(is("PENDING_VALIDATION", ""))));
    site.poll = Duration::from_secs(10);
    let began = Instant::now();
    let failure = issued(&context().0, &site, ARN).await.unwrap_err();
    assert!(
        failure.message.contains("delegate the domain to the name servers of its zone"),
        "{}",
        failure.message
    );
    assert!(began.elapsed() >= ISSUE_MAX && began.elapsed() < ISSUE_MAX * 2);
}

#[tokio::test]
async fn it_tells_the_record_of_a_name_once_and_one_that_failed_is_good_for_none() {
    let seen = async |status: &str| {
        let (site, _) = site(&[(200, &is(status, ""))]);
        look(&RequestedCertificate, &site, Select::Bare(&[ARN], &Wanted::new())).await.unwrap().remove(0)
    };
    let pending = seen("PENDING_VALIDATION").await;
    assert_eq!(pending.phase, Phase::Ready);
    assert_eq!(pending.outputs["record_name shop.example.net"], "_x1.shop.example.net".into());
    assert_eq!(pending.outputs["record_value shop.example.net"], "_x2.jkddzztszm.acm-validations.aws".into());
    assert_eq!(pending.outputs.len(), 3, "{:?}", pending.outputs);
    assert_eq!(pending.attributes["domain"], "shop.example.net".into());
    assert_eq!(pending.attributes["also"], list(["*.shop.example.net"]));
    let late = seen("VALIDATION_TIMED_OUT").await;
    assert!(matches!(late.phase, Phase::Failed(_)));
    assert!(late.attributes.is_empty(), "so that a plan makes another one");
}

#[tokio::test]
async fn its_records_may_take_a_moment() {
    let unknown = format!(
        "{{\"Certificate\":{{\"CertificateArn\":\"{ARN}\",\"DomainName\":\"shop.example.net\",\"Status\":\"PENDING_VALIDATION\",\
         \"DomainValidationOptions\":[{{\"DomainName\":\"shop.example.net\",\"ValidationMethod\":\"DNS\"}}]}}}}"
    );
    let (site, _) = site(&[(200, &unknown)]);
    let seen = look(&RequestedCertificate, &site, Select::Bare(&[ARN], &Wanted::new())).await.unwrap();
    assert!(matches!(seen[0].phase, Phase::Pending(_)));
}

#[tokio::test]
async fn imported_ones_are_none_of_these() {
    let listed =
        format!("{{\"CertificateSummaryList\":[{{\"CertificateArn\":\"{ARN}\",\"Type\":\"IMPORTED\"}}]}}");
    let (site, recorded) = site(&[(200, &listed)]);
    assert_eq!(look(&RequestedCertificate, &site, Select::Stack(&stack())).await.unwrap(), []);
    assert_eq!(recorded.actions(), ["ListCertificates"]);
}
