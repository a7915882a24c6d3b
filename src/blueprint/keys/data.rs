//! Keys of what keeps data, and of what surrounds the serving parts.

use super::{Key, Naming, Object, Shape};

pub static NETWORK: Object = Object::new(
    "network",
    "a network",
    "A network of its own in a cloud, or the firewall between hosts.",
    &[
        Key::new("cidr", Shape::Cidr, "Its addresses; the region's by default.").example("10.20.0.0/16"),
        Key::new(
            "nat",
            Shape::Choice(&[
                (
                    "per_zone",
                    "a gateway in every zone; AWS bills each by the hour, near 33 USD a month, and by the GB",
                ),
                ("single", "one for all: cheaper, and lost with its zone"),
                ("none", "no way out: machines cannot fetch packages"),
            ]),
            "How private machines reach the world.",
        )
        .default("per_zone"),
        Key::new("existing", Shape::Text, "A network that is there already, by id. On AWS a subnet is public where its route table leads to an internet gateway, private where it leads out by something else, and for databases where it leads nowhere."),
    ],
)
.component();

pub static DATABASE: Object = Object::new(
    "database",
    "a database",
    "A replicated database. On AWS one that is deleted leaves a final snapshot, which is billed until somebody deletes it: a plan \
     says its name.",
    &[
        Key::new(
            "engine",
            Shape::Choice(&[
                ("postgres", "PostgreSQL"),
                ("mysql", "MySQL"),
                ("mariadb", "MariaDB"),
                ("aurora_postgres", "Amazon Aurora, PostgreSQL"),
                ("aurora_mysql", "Amazon Aurora, MySQL"),
            ]),
            "Which database.",
        )
        .required(),
        Key::new(
            "version",
            Shape::Text,
            "Of the engine. On AWS its line, whose newer versions RDS brings in the maintenance window, or a whole version, \
             such as `15.8`, which stays.",
        )
        .example("15"),
        Key::new(
            "topology",
            Shape::Choice(&[
                ("single", "one server, no replica"),
                ("primary_replica", "one takes writes, the others follow"),
                ("multi_primary", "every one takes writes"),
            ]),
            "How its servers relate.",
        )
        .default("primary_replica"),
        Key::new("hosts", Shape::List(&Shape::Reference("a host")), "The hosts it runs on. Needed where the region has hosts."),
        Key::new(
            "replication",
            Shape::Choice(&[
                ("asynchronous", "a commit does not wait for replicas"),
                ("synchronous", "a commit waits for a replica"),
            ]),
            "Whether a commit waits.",
        )
        .default("asynchronous"),
        Key::new(
            "failover",
            Shape::Choice(&[("automatic", "a replica takes over by itself"), ("manual", "only when told")]),
            "What happens when the primary is lost.",
        )
        .default("automatic"),
        Key::new("read_write_split", Shape::Bool, "Gives a writer and a reader endpoint.").default("false"),
        Key::new("username", Shape::Text, "The first user."),
        Key::new("password", Shape::Value, "Its password.").example("${secrets.db_password}"),
        Key::new("instance_type", Shape::Text, "AWS: the size of a machine.").example("db.t3.medium"),
        Key::new("storage", Shape::Size, "How much it may hold.").example("20GiB"),
        Key::new("replicas", Shape::Int(0, 15), "Servers beside the primary; by default the hosts beside the first, else 1, and 0 where `topology` is `single`. On AWS the first is the standby, which takes over by itself and takes no reads, unless `failover` is `manual`."),
        Key::new("backup", Shape::Object(&BACKUP), "Copies to come back from."),
        Key::new(
            "maintenance_window",
            Shape::Text,
            "When its servers may be patched and restarted, in UTC: half an hour at least, outside the backup's. The provider \
             picks one by default.",
        )
        .example("sun:03:00-sun:04:00"),
        Key::new("parameters", Shape::Map(Naming::Free, &Shape::Any), "Settings of the engine."),
    ],
)
.component();

pub static BACKUP: Object = Object::new(
    "backup",
    "a backup",
    "When copies are made and how long they are kept.",
    &[
        Key::new("every", Shape::Duration, "Time between two.").default("1d"),
        Key::new(
            "window",
            Shape::Text,
            "When it is made where that is once a day, in UTC: half an hour at least. The provider picks one by default.",
        )
        .example("02:00-03:00"),
        Key::new("keep", Shape::Duration, "How long each is kept.").default("14d"),
        Key::new("point_in_time", Shape::Bool, "Any moment between can be restored too.").default("false"),
        Key::new("to", Shape::Text, "A local folder, or a URL such as `s3://BUCKET/PATH`."),
        Key::new(
            "verify",
            Shape::Either(&[
                Shape::Choice(&[("daily", "each day"), ("weekly", "each week"), ("monthly", "each 30 days")]),
                Shape::Duration,
            ]),
            "How often a restore is proven.",
        ),
    ],
);

pub static SESSION_STORE: Object = Object::new(
    "session_store",
    "a session store",
    "A replicated store in memory, for sessions and caches.",
    &[
        Key::new("engine", Shape::Choice(&[("redis", "Redis"), ("valkey", "Valkey")]), "Which store.")
            .default("redis"),
        Key::new(
            "hosts",
            Shape::List(&Shape::Reference("a host")),
            "The hosts it runs on. Needed where the region has hosts.",
        ),
        Key::new("version", Shape::Text, "Of the engine."),
        Key::new(
            "replicas",
            Shape::Int(0, 15),
            "Servers beside the primary; by default the hosts beside the first, else 1.",
        ),
        Key::new("password", Shape::Value, "Its password."),
        Key::new("instance_type", Shape::Text, "AWS: the size of a machine."),
    ],
)
.component();

pub static DNS: Object = Object::new(
    "dns",
    "a DNS zone",
    "Names for load balancers.",
    &[
        Key::new("zone", Shape::Text, "The zone.").required().example("example.net"),
        Key::new(
            "existing",
            Shape::Text,
            "A zone that is there already, by id: nothing in it but the records here is touched.",
        )
        .example("Z0123456789ABCDEFGHIJ"),
        Key::new("records", Shape::List(&Shape::Object(&DNS_RECORD)), "Names in it.").required(),
    ],
)
.component();

pub static DNS_RECORD: Object = Object::new(
    "dns_record",
    "a DNS record",
    "A name that leads to a load balancer.",
    &[
        Key::new("name", Shape::Text, "Within the zone; `@` is the zone itself.").required().example("www"),
        Key::new("to", Shape::Reference("a load balancer"), "Where it leads.").required(),
        Key::new(
            "routing",
            Shape::Choice(&[
                ("simple", "always there"),
                ("failover", "to the first that is healthy"),
                ("latency", "to the nearest"),
            ]),
            "Which of several records of one name answers.",
        )
        .default("simple"),
        Key::new("ttl", Shape::Duration, "How long an answer may be kept.").default("60s"),
        Key::new(
            "health_check",
            Shape::Object(&DNS_HEALTH_CHECK),
            "Asks the load balancer from outside, beside what it says of itself. For `failover` and `latency`. AWS bills it, \
             near 1 USD a month.",
        ),
    ],
);

pub static DNS_HEALTH_CHECK: Object = Object::new(
    "dns_health_check",
    "a health check of a name",
    "What makes the target of a record healthy, as seen from outside.",
    &[
        Key::new("path", Shape::Text, "A path that must answer 2xx or 3xx; a TCP connect by default.")
            .example("/healthz"),
        Key::new(
            "port",
            Shape::Port,
            "The load balancer's first with a certificate by default, else its first.",
        ),
        Key::new("interval", Shape::Duration, "Time between two checks; on AWS `10s` or `30s`.")
            .default("30s"),
        Key::new("unhealthy", Shape::Int(1, 10), "Failures in a row that make it unhealthy.").default("3"),
    ],
);

pub static MONITORING: Object = Object::new(
    "monitoring",
    "the monitoring",
    "Metrics and alerts. The one component of its section is called `monitoring.main`.",
    &[
        Key::new(
            "hosts",
            Shape::List(&Shape::Reference("a host")),
            "The hosts it runs on. Needed where the region has hosts.",
        ),
        Key::new(
            "notify",
            Shape::Map(Naming::Plain("receivers"), &Shape::Object(&NOTIFY)),
            "Where alerts go, by name.",
        ),
        Key::new("retention", Shape::Duration, "How long metrics are kept.").example("30d"),
        Key::new(
            "default_alarms",
            Shape::Bool,
            "Watches every component of the region for what matters of it, and tells every receiver. On AWS: a load balancer \
             without a healthy member for 1m, with more than 5% errors for 5m, a latency above 2s for 10m, or a certificate that \
             expires within 14d; a group above 90% cpu, or with fewer members than `min`, for 15m; a database above 90% cpu for 10m, \
             with less than 10% of its storage or more than 80% of its connections for 5m, or with a replica that is 1m behind for \
             5m (PostgreSQL 10m: an idle one tells up to five); a session store above 90% cpu for 10m, with more than 80% memory, \
             evictions, or a replica that is 30s behind for 5m. A server that is down is not measured, which counts as bad.",
        )
        .default("true"),
        Key::new(
            "alarms",
            Shape::Map(Naming::Plain("alarms"), &Shape::Object(&ALARM)),
            "More alarms, by name; each takes the place of the default one of its component and metric.",
        ),
    ],
)
.component();

const AMOUNT: Shape = Shape::Either(&[Shape::Share, Shape::Duration, Shape::Size, Shape::Number]);

pub static ALARM: Object = Object::new(
    "alarm",
    "an alarm",
    "What is watched, and when somebody is told: when it is `above` or `below` a bound `for` a while, and when it is no longer.",
    &[
        Key::new("of", Shape::Reference("a component"), "The component that is watched.")
            .required()
            .example("databases.orders"),
        Key::new(
            "metric",
            Shape::Choice(&[
                ("cpu", "share of the processors (groups, databases, session stores)"),
                ("memory", "share of the memory (groups, databases, session stores; on AWS of session stores only)"),
                ("free_storage", "what is left of a database's disk (a size, or a share of it)"),
                ("connections", "open connections of a database or session store (a number, or a share of those that there may be)"),
                ("replica_lag", "how far a replica of a database or session store is behind (a duration)"),
                ("evictions", "what a session store threw away for want of memory, in a minute (a number)"),
                ("healthy_members", "members of a group that serve, or that a load balancer finds healthy (a number)"),
                ("errors", "requests of a load balancer answered with 5xx (a share)"),
                ("latency", "how long members take to answer 19 of 20 requests of a load balancer (a duration)"),
                ("certificate_expiry", "how long the certificates of a load balancer are still good for (a duration), measured once a day: say `for: 1d`"),
            ]),
            "What is measured.",
        )
        .required(),
        Key::new("above", AMOUNT, "Tells when it is more.").example("80%"),
        Key::new("below", AMOUNT, "Tells when it is less.").example("10GiB"),
        Key::new("for", Shape::Duration, "How long it must be so.").default("5m"),
        Key::new(
            "notify",
            Shape::List(&Shape::Reference("a receiver")),
            "Which receivers are told; all by default.",
        ),
        Key::new("enabled", Shape::Bool, "`false`: this metric of this component has no alarm, nor its default one.")
            .default("true"),
    ],
);

pub static NOTIFY: Object = Object::new(
    "notify",
    "a receiver of alerts",
    "Where alerts go.",
    &[
        Key::new("webhook", Shape::Value, "A URL that gets each alert as a POST. On AWS it must be `https` and confirm the subscription of SNS, as pager services do."),
        Key::new("email", Shape::Text, "An e-mail address. On AWS it gets a mail first, and is told nothing until the link in it was followed."),
    ],
)
.one_of(&["webhook", "email"]);

pub static RECOVERY: Object = Object::new(
    "disaster_recovery",
    "the disaster recovery",
    "Which region takes over when one is lost. The one component of its section is called `disaster_recovery.main`; its output \
     of a database's name is where the copy of that is reached: `${disaster_recovery.main.orders}`.",
    &[
        Key::new("from", Shape::Reference("a region"), "The region that is protected.").required(),
        Key::new("into", Shape::Reference("a region"), "The region that takes over.").required(),
        Key::new(
            "strategy",
            Shape::Choice(&[
                ("backup_restore", "made from backups when it is needed"),
                ("pilot_light", "data is there, machines are not"),
                ("warm_standby", "everything is there, small"),
                ("active_active", "both serve"),
            ]),
            "How much of it is there beforehand.",
        )
        .required(),
    ],
)
.component();
