//! Keys of what serves: load balancers and autoscaling groups.

use super::{FILE, Key, Naming, Object, Shape};

pub static LOAD_BALANCER: Object = Object::new(
    "load_balancer",
    "a load balancer",
    "Takes requests and gives them to the healthy members of groups.",
    &[
        Key::new(
            "layer",
            Shape::Int(4, 7),
            "`7` understands HTTP: routes, TLS, cookies. `4` passes TCP connections on; members see the clients' own addresses on AWS, and the load balancer's on hosts.",
        )
        .default("7"),
        Key::new(
            "hosts",
            Shape::List(&Shape::Reference("a host")),
            "The hosts it runs on, two or more for a virtual IP. Needed where the region has hosts.",
        ),
        Key::new("virtual_ip", Shape::Ip, "An address that moves to a host that is alive.")
            .example("10.77.0.100"),
        Key::new(
            "algorithm",
            Shape::Choice(&[
                ("round_robin", "one after the other"),
                ("least_connections", "the one with the fewest open connections"),
                ("source_ip", "always the same for one client"),
            ]),
            "Which member gets the next request.",
        )
        .default("round_robin"),
        Key::new("listeners", Shape::List(&Shape::Object(&LISTENER)), "What it listens on.").required(),
        Key::new("stickiness", Shape::Object(&STICKINESS), "Keeps a client at one member. Layer 7 only."),
        Key::new(
            "drain_timeout",
            Shape::Duration,
            "How long requests in flight may take to end before a member is changed.",
        )
        .default("30s"),
        Key::new(
            "internal",
            Shape::Bool,
            "AWS: only what is inside its network reaches it. AWS cannot change it: another value makes the load balancer anew, \
             under another address.",
        )
        .default("false"),
        Key::new(
            "access_logs",
            Shape::Text,
            "AWS, layer 7: a bucket of the same region, and a folder in it, that get a log of every request. The bucket must be there, \
             encrypted by S3's own keys (SSE-S3), and its policy must let the service `logdelivery.elasticloadbalancing.amazonaws.com` do \
             `s3:PutObject` on `FOLDER/AWSLogs/ACCOUNT/*`.",
        )
        .example("s3://shop-logs/front"),
    ],
)
.component();

pub static LISTENER: Object = Object::new(
    "listener",
    "a listener",
    "A port, and where its requests go.",
    &[
        Key::new("port", Shape::Port, "What it listens on.").required(),
        Key::new(
            "redirect",
            Shape::Choice(&[("https", "to the same URL over HTTPS")]),
            "Answers every request with a redirect.",
        ),
        Key::new(
            "certificate",
            Shape::Either(&[Shape::Text, Shape::Object(&CERTIFICATE)]),
            "Serves TLS: a PEM file with chain and key; on AWS also the ARN of an ACM certificate, or the names of one that ACM \
             issues.",
        )
        .example("./tls/shop.pem"),
        Key::new("routes", Shape::List(&Shape::Object(&ROUTE)), "In order; the first that fits is taken."),
        Key::new(
            "to",
            Shape::Reference("an autoscaling group"),
            "The group that gets everything: short for one route.",
        ),
    ],
)
.one_of(&["redirect", "routes", "to"]);

pub static CERTIFICATE: Object = Object::new(
    "certificate",
    "a certificate",
    "AWS: ACM issues it for these names, and renews it. It is proven by records in the zones of `dns` that hold the names; a new \
     zone proves nothing before its domain is delegated to its name servers.",
    &[
        Key::new("domain", Shape::Text, "The name; `*.` at the beginning stands for any name.")
            .required()
            .example("shop.example.net"),
        Key::new("also", Shape::List(&Shape::Text), "Other names that it is good for.")
            .example("[www.shop.example.net]"),
    ],
);

pub static ROUTE: Object = Object::new(
    "route",
    "a route",
    "Which requests go to which group.",
    &[
        Key::new("path", Shape::Text, "The path of the request; a `*` at the end stands for anything.")
            .example("/api/*"),
        Key::new("host", Shape::Text, "The host of the request; `*.` at the beginning stands for any name.")
            .example("shop.example.net"),
        Key::new("to", Shape::Reference("an autoscaling group"), "The group that gets them.").required(),
    ],
);

pub static STICKINESS: Object = Object::new(
    "stickiness",
    "stickiness",
    "Keeps a client at one member by a cookie.",
    &[
        Key::new("cookie", Shape::Text, "The cookie's name. On AWS it has one of its own, `AWSALB`.")
            .required()
            .example("SRV"),
        Key::new("ttl", Shape::Duration, "How long it is kept; by default as long as the browser is open."),
    ],
);

pub static AUTOSCALING_GROUP: Object = Object::new(
    "autoscaling_group",
    "an autoscaling group",
    "Equal members that serve the same, changed a few at a time.",
    &[
        Key::new("hosts", Shape::List(&Shape::Reference("a host")), "A fixed pool of hosts. Needed where the region has hosts; absent where the provider makes machines."),
        Key::new("capacity", Shape::Object(&CAPACITY), "How many members.").required(),
        Key::new("workload", Shape::Object(&WORKLOAD), "What runs. Needed unless an `image` has everything: its machines then start as they are in it, without a script of ours."),
        Key::new("port", Shape::Port, "What the workload listens on.").required().example("80"),
        Key::new("health_check", Shape::Object(&HEALTH_CHECK), "What makes a member healthy. A TCP connect by default."),
        Key::new("scaling", Shape::List(&Shape::Object(&SCALING)), "When to add and remove members."),
        Key::new("update", Shape::Object(&UPDATE), "How members are changed."),
        Key::new("instance_type", Shape::Text, "AWS: the size of a machine.").example("t3.small"),
        Key::new("image", Shape::Text, "AWS: the machine image, by id or SSM parameter; the newest Debian 12 by default.").example("ami-0123456789abcdef0"),
        Key::new("instance_types", Shape::List(&Shape::Text), "AWS: several sizes of which any will do, the most wanted first, instead of `instance_type`. More of them are easier to get.")
            .example("[t3.small, t3a.small]"),
        Key::new("spot", Shape::Object(&SPOT), "AWS: runs a share of the machines on spare capacity: cheaper, and taken back with two minutes' notice."),
        Key::new("schedule", Shape::Map(Naming::Plain("schedules"), &Shape::Object(&SCHEDULE)), "AWS: other capacities at certain times, by name. `capacity` holds until the first of them."),
    ],
)
.component();

pub static SPOT: Object = Object::new(
    "spot",
    "a share of spot machines",
    "Which of the machines may be spot.",
    &[
        Key::new("share", Shape::Share, "Of the machines beyond `base`.").required().example("50%"),
        Key::new("base", Shape::Int(0, 10_000), "So many are never spot.").default("0"),
    ],
);

pub static SCHEDULE: Object = Object::new(
    "schedule",
    "a scheduled capacity",
    "How many members from a certain time on: one of `min`, `desired` and `max` at least.",
    &[
        Key::new("cron", Shape::Text, "When: minute, hour, day of the month, month, day of the week.")
            .required()
            .example("0 8 * * MON-FRI"),
        Key::new("time_zone", Shape::Text, "In which time zone, by its IANA name; UTC by default.")
            .example("Europe/Berlin"),
        Key::new("min", Shape::Int(0, 10_000), "Never fewer from then on."),
        Key::new("desired", Shape::Int(0, 10_000), "To begin with."),
        Key::new("max", Shape::Int(0, 10_000), "Never more from then on."),
    ],
);

pub static CAPACITY: Object = Object::new(
    "capacity",
    "a capacity",
    "How many members: `min <= desired <= max`.",
    &[
        Key::new("min", Shape::Int(0, 10_000), "Never fewer.").required(),
        Key::new("desired", Shape::Int(0, 10_000), "To begin with; `min` by default."),
        Key::new("max", Shape::Int(1, 10_000), "Never more; at most the hosts of a fixed pool.").required(),
    ],
);

/// Keys that go with a `release` only.
pub const RELEASE_KEYS: &[&str] = &["run", "user"];
/// Keys that go with a `container` only.
pub const CONTAINER_KEYS: &[&str] = &["command"];

pub static WORKLOAD: Object = Object::new(
    "workload",
    "a workload",
    "What runs on each member: a Debian package, a release archive or a container.",
    &[
        Key::new("package", Shape::Text, "A Debian package whose service serves.").example("nginx"),
        Key::new(
            "version",
            Shape::Text,
            "The version of the package; by default the newest that the host knows.",
        ),
        Key::new("service", Shape::Text, "The service of the package, where it is not called the same."),
        Key::new("release", Shape::Path, "A local `.tar.gz`, unpacked beside the older ones.")
            .example("./shop-1.4.2.tar.gz"),
        Key::new(
            "run",
            Shape::Text,
            "The command of a release; it starts in its folder, in a hardened systemd unit.",
        )
        .example("./serve --port 8080"),
        Key::new("user", Shape::Text, "The user that runs a release; by default one of its own."),
        Key::new("container", Shape::Text, "A container image.").example("registry.example.net/shop:1.4.2"),
        Key::new("command", Shape::List(&Shape::Text), "The command of a container."),
        Key::new(
            "files",
            Shape::List(&Shape::Object(&FILE)),
            "Files that go with it. A change of one is an update.",
        ),
        Key::new(
            "environment",
            Shape::Map(Naming::Free, &Shape::Value),
            "Environment variables of a release or container.",
        ),
    ],
)
.one_of(&["package", "release", "container"]);

pub static HEALTH_CHECK: Object = Object::new(
    "health_check",
    "a health check",
    "What makes a member healthy, for the load balancers and for updates.",
    &[
        Key::new("path", Shape::Text, "A path that must answer 2xx or 3xx; a TCP connect by default.")
            .example("/healthz"),
        Key::new("host", Shape::Text, "The host that the request names."),
        Key::new("port", Shape::Port, "The group's own by default."),
        Key::new("interval", Shape::Duration, "Time between two checks.").default("2s"),
        Key::new("timeout", Shape::Duration, "How long an answer may take.").default("1s"),
        Key::new("healthy", Shape::Int(1, 100), "Passes in a row that make a member healthy.").default("2"),
        Key::new("unhealthy", Shape::Int(1, 100), "Failures in a row that make it unhealthy.").default("3"),
    ],
);

pub static SCALING: Object = Object::new(
    "scaling",
    "a scaling rule",
    "Keeps a metric near a target by adding and removing members.",
    &[
        Key::new(
            "metric",
            Shape::Choice(&[
                ("cpu", "share of the processors"),
                ("memory", "share of the memory; not on AWS, where EC2 does not measure it"),
                ("requests", "requests per second and member"),
            ]),
            "What is measured.",
        )
        .required(),
        Key::new(
            "target",
            Shape::Either(&[Shape::Share, Shape::Number]),
            "A share for `cpu` and `memory`, a number for `requests`.",
        )
        .required()
        .example("60%"),
    ],
);

pub static UPDATE: Object = Object::new(
    "update",
    "an update policy",
    "How members are changed: drained, changed, proven healthy, and put back.",
    &[
        Key::new("strategy", Shape::Choice(&[("rolling", "a few members at a time")]), "In which way.")
            .default("rolling"),
        Key::new(
            "max_unavailable",
            Shape::Either(&[Shape::Int(1, 10_000), Shape::Share]),
            "Members at a time; a share is of `desired`, rounded down, at least one.",
        )
        .default("1"),
        Key::new("canary", Shape::Int(0, 10_000), "So many first, alone.").default("1"),
        Key::new(
            "on_failure",
            Shape::Choice(&[
                ("rollback", "undo every member changed so far, and stop"),
                ("stop", "leave the failed member as it is, and stop"),
            ]),
            "When a member does not become healthy.",
        )
        .default("rollback"),
        Key::new("health_timeout", Shape::Duration, "How long a changed member may take to become healthy.")
            .default("60s"),
    ],
);
