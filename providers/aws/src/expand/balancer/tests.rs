use standfast_contract::{
    Answers, Component, Expansion, Problem, Region,
    component::{Certificate, LoadBalancer},
};

use crate::expand::{
    database::tests::network,
    tests::{balancer, expanded, group, problems, region},
};

fn of(balancer: LoadBalancer, region: &Region) -> Result<Expansion, Vec<Problem>> {
    let components = [
        network(),
        Component::LoadBalancer(balancer),
        Component::AutoscalingGroup(group("web", 80)),
        Component::AutoscalingGroup(group("api", 8080)),
    ];
    expanded(region, &components, 1, &Answers::default())
}

#[test]
fn an_internal_balancer_is_reached_from_within_only() {
    for layer in [4, 7] {
        let expansion = of(LoadBalancer { internal: true, ..balancer(layer) }, &region()).unwrap();
        let find = |kind: &str| expansion.resources.iter().find(|one| one.kind == kind);
        let main = find("load_balancer").unwrap();
        assert_eq!(main.inputs["scheme"].as_str(), Some("internal"));
        assert!(main.inputs["subnets"].to_string().contains("subnet.private."), "{}", main.inputs["subnets"]);
        assert!(find("elastic_ip").is_none(), "it has no addresses that the world knows");
        let opened = find("security_group").unwrap().inputs["ingress"].to_string();
        assert!(opened.contains("cidr: 10.") && !opened.contains("0.0.0.0/0"), "{opened}");
    }
}

#[test]
fn a_certificate_by_arn_is_one_that_can_be_served_there() {
    let said = |arn: &str| {
        let mut it = balancer(7);
        it.listeners[1].certificate = Some(Certificate::Arn(arn.to_owned()));
        match of(it, &Region { account: Some("123456789012".into()), ..region() }) {
            Ok(_) => String::new(),
            Err(found) => problems(Err(found)).split(" | ").next().unwrap_or_default().to_owned(),
        }
    };
    for (arn, message) in [
        ("arn:aws:acm:eu-west-1:123456789012:certificate/1", ""),
        ("arn:aws:iam::123456789012:server-certificate/old/shop", ""),
        ("arn:aws:acm:x", "`arn:aws:acm:x` is no whole ARN"),
        (
            "arn:aws:acm:us-east-1:123456789012:certificate/1",
            "the certificate is in us-east-1, and the load balancer in eu-west-1",
        ),
        (
            "arn:aws:acm:eu-west-1:210987654321:certificate/1",
            "the certificate is in the account 210987654321, and the load balancer in 123456789012",
        ),
        (
            "arn:aws:acm:eu-west-1:123456789012:certificate/",
            "`arn:aws:acm:eu-west-1:123456789012:certificate/` is no certificate of ACM or IAM",
        ),
        (
            "arn:aws:acm:eu-west-1:shop:certificate/1",
            "`arn:aws:acm:eu-west-1:shop:certificate/1` is no certificate of ACM or IAM",
        ),
        ("arn:aws:s3:::shop/cert.pem", "`arn:aws:s3:::shop/cert.pem` is no certificate of ACM or IAM"),
        (
            "arn:aws-cn:acm:eu-west-1:123456789012:certificate/1",
            "`arn:aws-cn:acm:eu-west-1:123456789012:certificate/1` is no certificate of ACM or IAM",
        ),
        (
            "arn:aws:iam::123456789012:role/shop",
            "`arn:aws:iam::123456789012:role/shop` is no certificate of ACM or IAM",
        ),
    ] {
        let expected =
            if message.is_empty() { String::new() } else { format!("listeners[1].certificate: {message}") };
        assert_eq!(said(arn), expected, "{arn}");
    }
}
