use standfast_contract::{
    Answers, Component, Expansion, Problem, Region, Value,
    component::{Certificate, LoadBalancer, Network},
};

use crate::{
    expand::{
        ask,
        database::tests::network,
        tests::{balancer, expanded, group, problems, region},
    },
    kinds::map,
    look_up::VPC,
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
fn a_host_of_a_route_is_one_that_an_alb_takes() {
    for (host, is_taken) in [
        ("shop.example.net", true),
        ("*.example.net", true),
        ("shop.example.*", true),
        ("localhost", false),
        ("10.0.0.7", false),
        ("shop.", false),
    ] {
        let mut it = balancer(7);
        it.listeners[1].routes[0].path = None;
        it.listeners[1].routes[0].host = Some(host.to_owned());
        let said = of(it, &region());
        assert_eq!(said.is_ok(), is_taken, "{host}");
        if !is_taken {
            assert!(problems(said).contains(&format!("an ALB takes no host `{host}`")));
        }
    }
}

/// AWS puts some into a /28 and refuses the next.
#[test]
fn a_network_that_is_too_small_for_load_balancers_is_said_at_the_first_of_them() {
    let with = |cidr: &str, internal: bool| {
        let Component::Network(main) = network() else { panic!() };
        let components = [
            Component::Network(Network { cidr: cidr.parse().ok(), ..main }),
            Component::LoadBalancer(LoadBalancer { internal, ..balancer(7) }),
            Component::AutoscalingGroup(group("web", 80)),
            Component::AutoscalingGroup(group("api", 8080)),
        ];
        expanded(&region(), &components, 1, &Answers::default())
    };
    assert!(with("10.0.0.0/21", false).is_ok() && with("10.0.0.0/22", true).is_ok());
    assert!(problems(with("10.0.0.0/22", false)).contains("too small for a load balancer"));
}

#[test]
fn a_check_by_another_name_is_refused() {
    let mut named = group("web", 80);
    named.health_check.host = Some("shop.example.net".into());
    let components = [
        network(),
        Component::LoadBalancer(balancer(7)),
        Component::AutoscalingGroup(named),
        Component::AutoscalingGroup(group("api", 8080)),
    ];
    let said = problems(expanded(&region(), &components, 2, &Answers::default()));
    assert!(
        said.contains("health_check.host: a load balancer of AWS asks each member by its address"),
        "{said}"
    );
}

/// Members are in all of the ranges of a VPC, and the balancer must reach them.
#[test]
fn a_vpc_with_several_ranges_is_opened_in_all_of_them() {
    let Component::Network(main) = network() else { panic!() };
    let network = Component::Network(Network { existing: Some("vpc-1".into()), ..main });
    let subnets = |tier: &str| -> Value {
        let one = |zone: &str| {
            Value::Map(map([("id", format!("subnet-{tier}-{zone}").into()), ("zone", zone.into())]))
        };
        Value::List(vec![one("eu-west-1a"), one("eu-west-1b")])
    };
    let found = map([
        ("cidr", "10.1.0.0/16".into()),
        ("cidrs", ["10.1.0.0/16", "100.64.0.0/16"].into_iter().collect()),
        ("public", subnets("public")),
        ("private", subnets("private")),
    ]);
    let answers = Answers([(ask(&region(), VPC, "vpc-1"), Value::Map(found))].into());
    let components = [
        network,
        Component::LoadBalancer(balancer(7)),
        Component::AutoscalingGroup(group("web", 80)),
        Component::AutoscalingGroup(group("api", 8080)),
    ];
    let expansion = expanded(&region(), &components, 1, &answers).unwrap();
    let guard = expansion.resources.iter().find(|one| one.kind == "security_group").unwrap();
    let out = guard.inputs["egress"].to_string();
    assert!(out.contains("10.1.0.0/16") && out.contains("100.64.0.0/16"), "{out}");
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
