use super::*;
use crate::recorded::{site, stack};

const ARN: &str = "arn:aws:acm:eu-west-1:123456789012:certificate/12345678-1234-1234-1234-123456789012";

#[test]
fn a_file_is_a_certificate_a_chain_and_a_key_in_any_order() {
    let block = |label: &str, body: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
    let key = block("EC PRIVATE KEY", "k");
    let chain = block("CERTIFICATE", "b") + &block("CERTIFICATE", "c");
    let pem = format!("Bag\n{key}{}{chain}{}", block("CERTIFICATE", "a"), block("DH PARAMETERS", "d"));
    assert_eq!(Bundle::of(&pem).unwrap(), Bundle { certificate: block("CERTIFICATE", "a"), chain, key });
}

#[test]
fn a_file_that_cannot_serve_is_refused_by_what_it_lacks() {
    let key = "-----BEGIN PRIVATE KEY-----\nk\n-----END PRIVATE KEY-----\n";
    let certificate = "-----BEGIN CERTIFICATE-----\na\n-----END CERTIFICATE-----\n";
    let cases = [
        (key.to_owned(), "has no certificate"),
        (certificate.to_owned(), "has no private key"),
        (
            format!("{certificate}{}", key.replace("PRIVATE", "ENCRYPTED PRIVATE")),
            "has a private key with a passphrase",
        ),
        (format!("{certificate}-----BEGIN PRIVATE KEY-----\nk"), "has a `PRIVATE KEY` without an end"),
    ];
    for (pem, why) in cases {
        let failure = Bundle::of(&pem).unwrap_err();
        assert!(failure.message.contains(why), "{}", failure.message);
        assert!(!failure.message.contains("\nk"), "{}", failure.message);
    }
}

#[tokio::test]
async fn without_a_state_it_is_told_from_others_by_tags() {
    let summary = |arn: &str, kind: &str| format!("{{\"CertificateArn\":\"{arn}\",\"Type\":\"{kind}\"}}");
    let listed = format!(
        "{{\"CertificateSummaryList\":[{},{},{}]}}",
        summary("arn:2", "IMPORTED"),
        summary(ARN, "IMPORTED"),
        summary("arn:3", "AMAZON_ISSUED")
    );
    let tag = |key: &str, value: &str| format!("{{\"Key\":\"standfast:{key}\",\"Value\":\"{value}\"}}");
    let ours = format!(
        "{{\"Tags\":[{},{},{}]}}",
        tag("stack", "shop"),
        tag("environment", "default"),
        tag("token", "token")
    );
    let described =
        format!("{{\"Certificate\":{{\"CertificateArn\":\"{ARN}\",\"DomainName\":\"shop.example.net\"}}}}");
    let stack = stack();
    for (select, count) in [(Select::Stack(&stack), 1), (Select::Token(&stack, "other"), 0)] {
        let (site, recorded) =
            site(&[(200, &listed), (200, "{\"Tags\":[]}"), (200, &ours), (200, &described)]);
        let seen = super::super::look(&Certificate, &site, select).await.unwrap();
        assert_eq!(seen.len(), count);
        let asked = recorded.asked();
        assert!(
            asked[0].contains("EC_prime256v1"),
            "else those of other kinds of key are not listed: {}",
            asked[0]
        );
        assert_eq!(asked.len(), 3 + count);
    }
}

#[tokio::test]
async fn refusals_are_told_apart() {
    for (status, code, trouble) in [
        (400, "ResourceInUseException", Trouble::InUse),
        (400, "ResourceNotFoundException", Trouble::NotFound),
        (400, "ThrottlingException", Trouble::Throttled),
        (400, "AccessDeniedException", Trouble::Denied),
        (400, "LimitExceededException", Trouble::Quota),
    ] {
        let answer = format!("{{\"__type\":\"{code}\",\"message\":\"because\"}}");
        let (site, _) = site(&[(status, &answer)]);
        let failure = Certificate.remove(&site, ARN, &Map::new()).await.unwrap_err();
        assert_eq!((failure.trouble, failure.action), (trouble, "acm:DeleteCertificate"), "{code}");
    }
}
