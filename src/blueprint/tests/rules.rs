//! Rules that no key alone can tell, each as a table of what is written and what is said of it.

use super::*;

const AWS: &str = "\
standfast: 1
name: shop
regions: { home: { provider: aws, location: eu-west-1, zones: 2 } }
networks: { main: {} }
";

/// Everything that is said, errors and warnings: the message, then the help.
fn said(text: &str) -> String {
    let found = match run(text, &Options::default()) {
        Ok(blueprint) => blueprint.warnings,
        Err(problems) => problems.diagnostics,
    };
    let one = |one: Diagnostic| match one.help {
        Some(help) => format!("{} | {help}", one.message),
        None => one.message,
    };
    found.into_iter().map(one).collect::<Vec<_>>().join("; ")
}

fn scheduled(schedule: &str) -> String {
    said(&format!(
        "{AWS}autoscaling_groups:\n  web:\n    capacity: {{ min: 2, max: 6 }}\n    workload: {{ package: nginx }}\n    port: 80\n    schedule: {schedule}\n"
    ))
}

#[test]
fn a_schedule_comes_and_is_possible() {
    let cases = [
        ("{ a: { cron: \"0 8 * * MON-FRI\", time_zone: Europe/Berlin, min: 4, desired: 5, max: 8 } }", ""),
        ("{ a: { cron: \"0 8 * * *\", time_zone: UTC, desired: 6 } }", ""),
        ("{ a: { cron: \"0 8 * * *\", max: 9 }, b: { cron: \"0 20 * * *\", desired: 8 } }", ""),
        ("{ a: { cron: \"0 8 * * *\", min: 0, desired: 0, max: 0 } }", ""),
        (
            "{ a: { cron: \"0 25 * * *\", min: 2 } }",
            "`0 25 * * *` is no time in cron's form: the hour is from 0 to 23, not `25` | for example `0 8 * * MON-FRI`: at eight on working days",
        ),
        (
            "{ a: { cron: \"0 8 * * *\", time_zone: berlin, min: 2 } }",
            "`berlin` is no time zone | did you mean `Europe/Berlin`?",
        ),
        (
            "{ a: { cron: \"0 8 * * *\", time_zone: Europe/Berln, min: 2 } }",
            "`Europe/Berln` is no time zone | did you mean `Europe/Berlin`?",
        ),
        (
            "{ a: { cron: \"0 8 * * *\", time_zone: america/new york, min: 2 } }",
            "`america/new york` is no time zone | did you mean `America/New_York`?",
        ),
        ("{ a: { cron: \"0 8 * * *\", time_zone: Mars/Olympus, min: 2 } }", "`Mars/Olympus` is no time zone"),
        ("{ a: { cron: \"0 8 * * *\" } }", "the schedule `a` changes nothing"),
        ("{ a: { cron: \"0 8 * * *\", min: 5, max: 4 } }", "`min` is 5, and `max` only 4"),
        (
            "{ a: { cron: \"0 8 * * *\", desired: 7 } }",
            "`desired` is 7, and the group never has more than 6 | say `max: 7` beside it, or a larger `max` in `capacity`",
        ),
        (
            "{ a: { cron: \"0 8 * * *\", min: 7 } }",
            "`min` is 7, and the group never has more than 6 | say `max: 7` beside it, or a larger `max` in `capacity`",
        ),
        (
            "{ a: { cron: \"0 8 * * *\", max: 1 } }",
            "`max` is 1, and the group never has fewer than 2 | say `min: 1` beside it, or a smaller `min` in `capacity`",
        ),
        (
            "{ a: { cron: \"0 8 * * *\", desired: 1 } }",
            "`desired` is 1, and the group never has fewer than 2 | say `min: 1` beside it, or a smaller `min` in `capacity`",
        ),
    ];
    for (schedule, message) in cases {
        assert_eq!(scheduled(schedule), message, "{schedule}");
    }
}

fn named(zone: &str, records: &str) -> String {
    said(&format!(
        "{AWS}load_balancers:\n  front: {{ listeners: [{{ port: 80, redirect: https }}, {{ port: 443, certificate: \"arn:aws:acm:eu-west-1:123456789012:certificate/1\", to: web }}] }}\n  back: {{ listeners: [{{ port: 80, to: web }}] }}\nautoscaling_groups: {{ web: {{ capacity: {{ min: 1, max: 1 }}, workload: {{ package: nginx }}, port: 80 }} }}\ndns: {{ names: {{ zone: {zone}, records: {records} }} }}\n"
    ))
}

#[test]
fn zones_and_records_have_names_of_dns() {
    let cases = [
        (
            "example.net",
            "[{ name: www, to: front }, { name: \"@\", to: front }, { name: \"*\", to: front }]",
            "",
        ),
        ("Example.net.", "[{ name: \"*.shop\", to: front }, { name: WWW.example.net, to: front }]", ""),
        ("example.net", "[{ name: www.shop.example.net., to: front }]", ""),
        ("\".\"", "[{ name: www, to: front }]", "`.` is no DNS zone: a label of it is empty"),
        ("a..b", "[{ name: www, to: front }]", "`a..b` is no DNS zone: a label of it is empty"),
        ("\"*.example.net\"", "[]", "`*.example.net` is no DNS zone: `*` can only be the whole first label"),
        (
            "münchen.example",
            "[]",
            "`münchen.example` is no DNS zone: DNS has it in another form | did you mean `xn--mnchen-3ya.example`?",
        ),
        (
            "example.net",
            "[{ name: bücher, to: front }]",
            "`bücher` is no name of a record: DNS has it in another form | did you mean `xn--bcher-kva`?",
        ),
        (
            "example.net",
            "[{ name: web shop, to: front }]",
            "`web shop` is no name of a record: a blank cannot be in a name",
        ),
        (
            "example.net",
            "[{ name: \"www.*\", to: front }]",
            "`www.*` is no name of a record: `*` can only be the whole first label",
        ),
        (
            "example.net",
            "[{ name: \"a*\", to: front }]",
            "`a*` is no name of a record: `*` can only be the whole first label",
        ),
        (
            "example.net",
            "[{ name: -www, to: front }]",
            "`-www` is no name of a record: `-www` begins or ends with a hyphen",
        ),
        (
            "example.net",
            "[{ name: my_shop, to: front }]",
            "`my_shop` is no name of a host: those have no `_` | say `my-shop`",
        ),
        (
            "example.net",
            "[{ name: www.example.org., to: front }]",
            "`www.example.org.` is outside of the zone `example.net` | a name within it has no dot at its end, and one of another zone belongs under its own `dns`",
        ),
        (
            "example.net",
            "[{ name: www.exmaple.net, to: front }]",
            "this makes the name `www.exmaple.net.example.net` | a name of another zone belongs under its own `dns`",
        ),
        (
            "example.net",
            "[{ name: www, to: front, ttl: 500ms }]",
            "DNS counts in whole seconds, 68 years at most",
        ),
        (
            "example.net",
            "[{ name: www, to: front, ttl: 4000w }]",
            "DNS counts in whole seconds, 68 years at most",
        ),
        (
            "example.net",
            "[{ name: www, to: front, routing: failover }]",
            "nothing takes over for `www.example.net` when `front` fails | give the name a second record, which leads to another load balancer; or say `routing: simple`",
        ),
        (
            "example.net",
            "[{ name: www, to: front, routing: failover }, { name: WWW.example.net, to: back, routing: failover }]",
            "",
        ),
    ];
    for (zone, records, message) in cases {
        assert_eq!(named(zone, records), message, "{zone} {records}");
    }
    let long = "a".repeat(50);
    let told = named("example.net", &format!("[{{ name: {}, to: front }}]", [long.as_str(); 5].join(".")));
    assert!(told.ends_with("it has 254 characters, and a name has 253 at most"), "{told}");
}

#[test]
fn words_of_other_tools_lead_to_the_key_that_does_the_same() {
    let of_group = |line: &str| {
        said(&format!(
            "{AWS}autoscaling_groups:\n  web:\n    capacity: {{ min: 2, max: 6 }}\n    workload: {{ package: nginx }}\n    port: 80\n    {line}\n"
        ))
    };
    let of_database = |line: &str| {
        said(&format!(
            "{AWS}autoscaling_groups:\n  web: {{ capacity: {{ min: 1, max: 1 }}, image: x, port: 80, depends_on: [databases.orders] }}\ndatabases:\n  orders:\n    engine: postgres\n    {line}\n"
        ))
    };
    let told = |word: &str, help: &str| format!("unknown key `{word}` | {help}");
    for (word, help) in [
        ("ami", "did you mean `image`?"),
        ("instance_class", "did you mean `instance_type`?"),
        ("desired_capacity", "did you mean `capacity.desired`?"),
        ("min_size", "did you mean `capacity.min`?"),
        ("health_check_path", "did you mean `health_check.path`?"),
        ("target_groups", "did you mean `load_balancers.NAME.listeners.to`?"),
        (
            "vpc_id",
            "`networks.NAME.existing` does this: everything of a region goes into the network of that region",
        ),
        ("security_groups", "security groups follow from who uses whom: routes, references and `depends_on`"),
        // Of no other tool: a slip.
        ("intance_type", "did you mean `instance_type`?"),
    ] {
        assert_eq!(of_group(&format!("{word}: x")), told(word, help));
    }
    for (word, help) in [
        (
            "multi_az",
            "`replicas` does this: the first is the standby of Multi-AZ, which `topology: single` has not",
        ),
        ("allocated_storage", "`storage` does this: with its unit, such as `20GiB`"),
        ("backup_retention_period", "`backup.keep` does this: with its unit, such as `7d`"),
        ("skip_final_snapshot", "deleting a database always leaves a snapshot"),
    ] {
        assert_eq!(of_database(&format!("{word}: x")), told(word, help));
    }
    // What is there under another word is not missing too.
    assert_eq!(
        said(&format!("{AWS}dns:\n  names: {{ hosted_zone: example.net, records: [] }}\n")),
        told("hosted_zone", "did you mean `zone`?")
    );
}

#[test]
fn networks_are_whole_and_such_as_hosts_may_have() {
    let of_region = |provider: &str, network: &str| {
        said(&format!(
            "standfast: 1\nname: shop\nregions: {{ home: {{ provider: {provider}, location: eu-west-1, zones: 2, network: {network} }} }}\n"
        ))
    };
    let private = "take a private network, such as `10.20.0.0/16`";
    let cases = [
        ("10.20.0.0/16", String::new()),
        ("100.64.0.0/16", String::new()),
        ("fd00::/48", String::new()),
        ("10.20.5.0/16", "`10.20.5.0/16` is an address within a network | did you mean `10.20.0.0/16`?".into()),
        ("10.20.0.0", "`10.20.0.0` is one address, and not a network".into()),
        ("127.0.0.0/16", format!("hosts cannot have addresses of `127.0.0.0/16` | {private}")),
        ("169.254.0.0/16", format!("hosts cannot have addresses of `169.254.0.0/16` | {private}")),
        ("224.0.0.0/16", format!("hosts cannot have addresses of `224.0.0.0/16` | {private}")),
        ("0.0.0.0/0", format!("hosts cannot have addresses of `0.0.0.0/0` | {private}")),
        ("fe80::/64", format!("hosts cannot have addresses of `fe80::/64` | {private}")),
        (
            "172.17.0.0/20",
            "172.17.0.0/20 meets 172.17.0.0/16, which some services of AWS use themselves | take another one, such as `10.20.0.0/16`"
                .into(),
        ),
        (
            "8.8.0.0/16",
            format!("8.8.0.0/16 is not private: others on the Internet may have these addresses | {private}, unless these addresses are yours"),
        ),
    ];
    for (network, message) in cases {
        assert_eq!(of_region("aws", network), message, "{network}");
    }
    // Whose hosts have addresses that the whole world knows says nothing wrong.
    assert_eq!(of_region("sim", "8.8.0.0/16"), "");
    let own = format!(
        "{}networks:\n  main: {{ cidr: 10.20.0.1/16 }}\n",
        AWS.replace("networks: { main: {} }\n", "")
    );
    assert_eq!(said(&own), "`10.20.0.1/16` is an address within a network | did you mean `10.20.0.0/16`?");
}

#[test]
fn regions_that_take_over_from_each_other_have_networks_apart() {
    let with = |here: &str, there: &str| {
        said(&format!(
            "standfast: 1\nname: shop\nregions:\n  a: {{ provider: aws, location: eu-west-1, zones: 2, network: {here} }}\n  b: {{ provider: aws, location: eu-west-3, zones: 2, network: {there} }}\ndisaster_recovery: {{ from: a, into: b, strategy: warm_standby }}\n"
        ))
    };
    assert_eq!(with("10.20.0.0/16", "10.21.0.0/16"), "");
    assert_eq!(
        with("10.20.0.0/16", "10.20.128.0/20"),
        "the networks of `a` (10.20.0.0/16) and `b` (10.20.128.0/20) overlap | give one of the regions another `network` before anything stands in it"
    );
}

#[test]
fn networks_have_addresses_of_their_own() {
    let with = |more: &str| {
        said(&format!(
            "{}networks:\n  main: {{ cidr: 10.20.0.0/16 }}\n  {more}\n",
            AWS.replace("networks: { main: {} }\n", "")
        ))
    };
    assert_eq!(with("more: { cidr: 10.21.0.0/16 }"), "");
    assert_eq!(with("more: { existing: vpc-0123456789abcdef0 }"), "");
    assert_eq!(
        with("more: { cidr: 10.20.128.0/17 }"),
        "the networks networks.main (10.20.0.0/16) and networks.more (10.20.128.0/17) overlap | give one of them another `cidr` before anything stands in it"
    );
}

#[test]
fn a_zone_is_there_once() {
    let text = format!(
        "{AWS}dns:\n  names: {{ zone: example.net, records: [] }}\n  more: {{ zone: Example.net., records: [] }}\n"
    );
    assert_eq!(said(&text), "the zone `Example.net.` is there twice | put the records of both into one");
}

#[test]
fn an_output_that_a_component_never_has_is_told_at_its_place() {
    let with = |provider: &str, output: &str| {
        said(&format!(
            "standfast: 1\nname: shop\nregions:\n  home: {{ provider: {provider}, location: eu-west-1, zones: 2 }}\n  away: {{ provider: {provider}, location: eu-west-3, zones: 2 }}\ndisaster_recovery: {{ from: home, into: away, strategy: pilot_light }}\ndatabases:\n  orders: {{ region: home, engine: postgres }}\n  books: {{ region: away, engine: postgres }}\nload_balancers:\n  front: {{ region: home, listeners: [{{ port: 80, to: web }}] }}\nautoscaling_groups:\n  web: {{ region: home, capacity: {{ min: 1, max: 1 }}, port: 80, depends_on: [databases.orders], workload: {{ container: x, environment: {{ X: \"${{{output}}}\" }} }} }}\n  more: {{ region: away, capacity: {{ min: 1, max: 1 }}, port: 80, depends_on: [databases.books], workload: {{ container: x }} }}\n"
        ))
    };
    for (provider, output) in [
        ("aws", "databases.orders.writer"),
        ("aws", "databases.orders.secret"),
        ("sim", "databases.orders.writer"),
        ("sim", "load_balancers.front.hosts"),
        ("aws", "disaster_recovery.main.orders"),
    ] {
        assert_eq!(with(provider, output), "", "{provider} {output}");
    }
    for (provider, output, message) in [
        (
            "aws",
            "databases.orders.writter",
            "databases.orders has no output `writter` | did you mean `writer`?",
        ),
        (
            "aws",
            "load_balancers.front.nonsense",
            "load_balancers.front has no output `nonsense` | the outputs are: address, url, zone_id",
        ),
        (
            "sim",
            "load_balancers.front.zone_id",
            "load_balancers.front has no output `zone_id` | the outputs are: address, url, hosts",
        ),
        // A copy is of what is protected.
        (
            "aws",
            "disaster_recovery.main.books",
            "disaster_recovery.main has no output `books` | the outputs are: into, orders",
        ),
    ] {
        assert_eq!(with(provider, output), message, "{provider} {output}");
    }
}

#[test]
fn what_is_written_in_another_form_is_answered_with_the_right_one() {
    let of_group = |line: &str| {
        said(&format!(
            "{AWS}variables: {{ port: {{ default: 80 }} }}\nautoscaling_groups:\n  web:\n    capacity: {{ min: 2, max: 6 }}\n    workload: {{ package: nginx }}\n    port: 80\n    {line}\n"
        ))
    };
    for (line, help) in [
        ("health_check: /up", "write `{ path: /up }`"),
        ("health_check: http://localhost/up", "write `{ path: /up }`"),
        ("spot: 50%", "write `{ share: 50% }`"),
        ("update: rolling", "write `{ strategy: rolling }`"),
        ("health_check: { path: /up, interval: 10 }", "say in which unit: `10s`, `10m`, `10h` or `10d`"),
        ("scaling: { metric: cpu, target: 60% }", "write a list: put it into `[...]`, or begin it with `- `"),
        ("region: [home]", "write it without the brackets: `home`"),
        (
            "schedule: [{ cron: x }]",
            "each of the schedules has a name: write `NAME: ...`, without `-` and `[ ]`",
        ),
        ("image: ${port}", "did you mean `${variables.port}`?"),
        (
            "image: ${IMAGE}",
            "for a plain `${IMAGE}`, write `$${IMAGE}`; to read the environment, declare `secrets: { NAME: { env: IMAGE } }` and write `${secrets.NAME}`",
        ),
        (
            "image: ${databases.orders}",
            "write which output is meant: `${databases.orders.OUTPUT}`; a key that names a component takes its name alone",
        ),
        ("image:ami-1", "a colon needs a blank behind it: `image: ami-1`"),
    ] {
        let told = of_group(line);
        assert!(told.ends_with(&format!("| {help}")), "{line}: {told}");
    }
    let package = said(&format!(
        "{AWS}autoscaling_groups:\n  web: {{ capacity: {{ min: 2, max: 6 }}, port: 80, workload: {{ package: nginx=1.27 }} }}\n"
    ));
    let odd = said(&format!(
        "{AWS}autoscaling_groups:\n  web: {{ capacity: {{ min: 2, max: 6 }}, port: 80, workload: {{ package: \"nginx; reboot\" }} }}\n"
    ));
    assert_eq!(odd, "`nginx; reboot` is no package's name | it has letters, digits and `+-._` only");
    assert_eq!(package, "`nginx=1.27` is no package's name | say `package: nginx` and `version: \"1.27\"`");
    let of_host = |rest: &str| said(&format!("{HEAD}{WEB}{rest}"));
    for (rest, help) in [
        (
            "load_balancers: { front: { hosts: [lb1, lb2], algorithm: leastconn, listeners: [{ port: 81, to: web }] } }\n",
            "did you mean `least_connections`?",
        ),
        (
            "baselines: { base: { hosts: all, firewall: { allow: [{ ports: [80], from: [10.0.0.5/24] }] } } }\n",
            "say `10.0.0.0/24` for all of it, or `10.0.0.5` for the one",
        ),
        ("baselines: { base: { hosts: all, firewall: { allow: [80] } } }\n", "write `{ ports: [80] }`"),
    ] {
        let told = of_host(rest);
        assert!(told.ends_with(&format!("| {help}")), "{rest}: {told}");
    }
    let ansible = HEAD.replace("provider: ssh\n", "provider: ssh\n    ssh: { become: true }\n");
    assert!(said(&ansible).ends_with("| did you mean `sudo`?"), "{}", said(&ansible));
    let zones =
        HEAD.replace("{ hosts: { lb1: 10.0.0.11, web1: 10.0.0.21, db1: 10.0.0.31 } }", "{ lb1: 10.0.0.11 }");
    assert!(said(&zones).ends_with("did you mean `hosts: { lb1: ... }`?"), "{}", said(&zones));
}
