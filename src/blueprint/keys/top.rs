//! Keys of the blueprint itself, and those that every component has.

use super::{
    AUTOSCALING_GROUP, BASELINE, DATABASE, DNS, Key, LOAD_BALANCER, MONITORING, NETWORK, Naming, Object,
    RECOVERY, REGION, SESSION_STORE, Shape,
};

const COMPONENT: Naming = Naming::Plain("components");
const VARIABLES: Shape = Shape::Map(Naming::Plain("variables"), &Shape::Object(&VARIABLE));
const SECRETS: Shape = Shape::Map(Naming::Plain("secrets"), &Shape::Object(&SECRET));
const REGIONS: Shape = Shape::Map(Naming::Plain("regions"), &Shape::Object(&REGION));

pub static BLUEPRINT: Object = Object::new(
    "blueprint",
    "a blueprint",
    "What is to run, where, and how well it must survive. One YAML document.",
    &[
        Key::new("standfast", Shape::Int(1, i64::MAX), "The version of this format: `1`.")
            .required()
            .example("1"),
        Key::new(
            "name",
            Shape::Text,
            "The stack's name. Everything that is made carries it, so it must not change.",
        )
        .required()
        .example("shop"),
        Key::new("variables", VARIABLES, "Values to be given from outside, used as `${variables.NAME}`."),
        Key::new(
            "secrets",
            SECRETS,
            "Where secrets are found, used as `${secrets.NAME}`. Their values are never written to state, plans or logs.",
        ),
        Key::new(
            "objectives",
            Shape::Object(&OBJECTIVES),
            "What the design must achieve. `check` holds it against them, `drill` measures them.",
        ),
        Key::new("regions", REGIONS, "Places where things run, by name.").required(),
        Key::new(
            "defaults",
            Shape::Object(&DEFAULTS),
            "Keys that every component of a section has unless it says otherwise.",
        ),
        Key::new("networks", Shape::Map(COMPONENT, &Shape::Object(&NETWORK)), "Networks, by name."),
        Key::new(
            "baselines",
            Shape::Map(COMPONENT, &Shape::Object(&BASELINE)),
            "What hosts have in common, whatever they serve, by name.",
        ),
        Key::new(
            "load_balancers",
            Shape::Map(COMPONENT, &Shape::Object(&LOAD_BALANCER)),
            "Load balancers, by name.",
        ),
        Key::new(
            "autoscaling_groups",
            Shape::Map(COMPONENT, &Shape::Object(&AUTOSCALING_GROUP)),
            "Groups of equal members that serve, by name.",
        ),
        Key::new("databases", Shape::Map(COMPONENT, &Shape::Object(&DATABASE)), "Databases, by name."),
        Key::new(
            "session_stores",
            Shape::Map(COMPONENT, &Shape::Object(&SESSION_STORE)),
            "Stores for sessions and caches, by name.",
        ),
        Key::new("dns", Shape::Map(COMPONENT, &Shape::Object(&DNS)), "DNS zones and their records, by name."),
        Key::new("monitoring", Shape::Object(&MONITORING), "Metrics, alerts and where they go."),
        Key::new("disaster_recovery", Shape::Object(&RECOVERY), "Which region takes over when one is lost."),
        Key::new(
            "moved",
            Shape::List(&Shape::Object(&MOVED)),
            "Renames: what is now called otherwise is kept instead of made anew.",
        ),
        Key::new(
            "removed",
            Shape::List(&Shape::Text),
            "What to forget without deleting it: addresses, or `SECTION.NAME`.",
        )
        .example("[load_balancers.old]"),
        Key::new(
            "environments",
            Shape::Map(Naming::Plain("environments"), &Shape::Partial(&Shape::Object(&OVERLAY))),
            "Overlays, taken with `--env NAME`. Maps merge, lists and scalars replace, `null` removes.",
        ),
    ],
);

pub static OVERLAY: Object = Object::new(
    "environment",
    "an environment",
    "Changes to the blueprint, in the same keys. It may add regions, variables and secrets, but no components.",
    &[
        Key::new("variables", VARIABLES, "Changes to `variables`."),
        Key::new("secrets", SECRETS, "Changes to `secrets`."),
        Key::new("objectives", Shape::Object(&OBJECTIVES), "Changes to `objectives`."),
        Key::new("regions", REGIONS, "Changes to `regions`."),
        Key::new("defaults", Shape::Object(&DEFAULTS), "Changes to `defaults`."),
        Key::new("networks", Shape::Map(COMPONENT, &Shape::Object(&NETWORK)), "Changes to `networks`."),
        Key::new("baselines", Shape::Map(COMPONENT, &Shape::Object(&BASELINE)), "Changes to `baselines`."),
        Key::new(
            "load_balancers",
            Shape::Map(COMPONENT, &Shape::Object(&LOAD_BALANCER)),
            "Changes to `load_balancers`.",
        ),
        Key::new(
            "autoscaling_groups",
            Shape::Map(COMPONENT, &Shape::Object(&AUTOSCALING_GROUP)),
            "Changes to `autoscaling_groups`.",
        ),
        Key::new("databases", Shape::Map(COMPONENT, &Shape::Object(&DATABASE)), "Changes to `databases`."),
        Key::new(
            "session_stores",
            Shape::Map(COMPONENT, &Shape::Object(&SESSION_STORE)),
            "Changes to `session_stores`.",
        ),
        Key::new("dns", Shape::Map(COMPONENT, &Shape::Object(&DNS)), "Changes to `dns`."),
        Key::new("monitoring", Shape::Object(&MONITORING), "Changes to `monitoring`."),
        Key::new("disaster_recovery", Shape::Object(&RECOVERY), "Changes to `disaster_recovery`."),
    ],
);

pub static DEFAULTS: Object = Object::new(
    "defaults",
    "the defaults",
    "For each section, keys that are laid below every component of it.",
    &[
        Key::new(
            "networks",
            Shape::Partial(&Shape::Object(&NETWORK)),
            "Laid below every component of `networks`.",
        ),
        Key::new(
            "baselines",
            Shape::Partial(&Shape::Object(&BASELINE)),
            "Laid below every component of `baselines`.",
        ),
        Key::new(
            "load_balancers",
            Shape::Partial(&Shape::Object(&LOAD_BALANCER)),
            "Laid below every component of `load_balancers`.",
        ),
        Key::new(
            "autoscaling_groups",
            Shape::Partial(&Shape::Object(&AUTOSCALING_GROUP)),
            "Laid below every component of `autoscaling_groups`.",
        ),
        Key::new(
            "databases",
            Shape::Partial(&Shape::Object(&DATABASE)),
            "Laid below every component of `databases`.",
        ),
        Key::new(
            "session_stores",
            Shape::Partial(&Shape::Object(&SESSION_STORE)),
            "Laid below every component of `session_stores`.",
        ),
        Key::new("dns", Shape::Partial(&Shape::Object(&DNS)), "Laid below every component of `dns`."),
        Key::new("monitoring", Shape::Partial(&Shape::Object(&MONITORING)), "Laid below `monitoring`."),
        Key::new(
            "disaster_recovery",
            Shape::Partial(&Shape::Object(&RECOVERY)),
            "Laid below `disaster_recovery`.",
        ),
    ],
);

/// What every component has.
pub static COMMON: &[Key] = &[
    Key::new(
        "region",
        Shape::Reference("a region"),
        "Where it runs. Where the blueprint has one region only, that is the default.",
    ),
    Key::new(
        "depends_on",
        Shape::List(&Shape::Reference("a component, as `SECTION.NAME`")),
        "Components that must be done before it. References imply this by themselves. On AWS either opens the port of what keeps data \
         to a group.",
    )
    .example("[databases.orders]"),
    Key::new("lifecycle", Shape::Object(&LIFECYCLE), "What a plan may and may not do to it."),
    Key::new(
        "deletion_protection",
        Shape::Bool,
        "A plan that would delete or replace it is refused. By default `true` for what holds data, else `false`.",
    ),
    Key::new("tags", Shape::Map(Naming::Free, &Shape::Text), "Labels that everything made for it carries."),
];

pub static LIFECYCLE: Object = Object::new(
    "lifecycle",
    "a lifecycle",
    "What a plan may and may not do to the resources of a component.",
    &[
        Key::new("prevent_destroy", Shape::Bool, "Refuse a plan that would delete or replace any of them.")
            .default("false"),
        Key::new("ignore_changes", Shape::List(&Shape::Text), "Attributes whose difference is left alone."),
        Key::new(
            "create_before_destroy",
            Shape::Bool,
            "When one is replaced, make the new one first, where its kind allows that.",
        ),
    ],
);

pub static VARIABLE: Object = Object::new(
    "variable",
    "a variable",
    "A value that is given from outside: `--var NAME=VALUE`, `--var-file FILE`, or the environment variable `STANDFAST_VAR_NAME`; in this order the first wins.",
    &[
        Key::new("default", Shape::Any, "Taken when nothing is given.").example("\"1.4.2\""),
        Key::new(
            "type",
            Shape::Choice(&[
                ("text", "any text"),
                ("int", "a whole number"),
                ("bool", "`true` or `false`"),
                ("list", "a list of texts; on the command line `a,b,c`"),
            ]),
            "What may be given. By default what the default looks like, else any scalar.",
        ),
        Key::new("description", Shape::Text, "Said when it is missing."),
        Key::new("required", Shape::Bool, "It must be given, whatever the default.").default("false"),
    ],
);

pub static SECRET: Object = Object::new(
    "secret",
    "a secret",
    "Where the value of a secret is found. It is fetched when it is needed and kept nowhere but where it must be.",
    &[
    Key::new("env", Shape::Text, "An environment variable of the process that plans and applies.").example("SHOP_DB_PASSWORD"),
    Key::new("file", Shape::Path, "A file, whole, without its last newline."),
    Key::new("command", Shape::Text, "A command for `sh -c`; what it prints, without the last newline. 30 s at most.")
        .example("pass show shop/db"),
    Key::new("generate", Shape::Either(&[Shape::Choice(&[("true", "32 characters")]), Shape::Object(&GENERATE)]), "Made once at random and kept in `.standfast/secrets/`, readable by you alone. It is not in the state: who applies from another machine needs a copy of the file."),
    Key::new("aws_secrets_manager", Shape::Text, "A secret of AWS Secrets Manager, by name or ARN."),
    ],
)
.one_of(&["env", "file", "command", "generate", "aws_secrets_manager"]);

pub static GENERATE: Object = Object::new(
    "generate",
    "a generated secret",
    "How a secret is made.",
    &[Key::new("length", Shape::Int(12, 256), "Letters and digits.").default("32")],
);

pub static OBJECTIVES: Object = Object::new(
    "objectives",
    "the objectives",
    "What must hold when something is lost. One pair for all, or a pair for each of host, zone and region.",
    &[
        Key::new("availability", Shape::Share, "The share of time in which it must answer.")
            .example("99.95%"),
        Key::new("rto", Shape::Duration, "Recovery time: how long it may be out, whatever is lost."),
        Key::new(
            "rpo",
            Shape::Duration,
            "Recovery point: how much of the latest data may be gone, whatever is lost.",
        ),
        Key::new("host", Shape::Object(&OBJECTIVE), "When one host is lost."),
        Key::new("zone", Shape::Object(&OBJECTIVE), "When a whole zone is lost."),
        Key::new("region", Shape::Object(&OBJECTIVE), "When a whole region is lost."),
    ],
);

pub static OBJECTIVE: Object = Object::new(
    "objective",
    "an objective",
    "What must hold when one of these is lost.",
    &[
        Key::new("rto", Shape::Duration, "How long it may be out.").example("60s"),
        Key::new("rpo", Shape::Duration, "How much of the latest data may be gone.").example("0s"),
    ],
);

pub static MOVED: Object = Object::new(
    "moved",
    "a rename",
    "What was called `from` is called `to` now. Both are addresses, or `SECTION.NAME` for a whole component.",
    &[
        Key::new("from", Shape::Text, "The old name.").required().example("autoscaling_groups.www"),
        Key::new("to", Shape::Text, "The new name.").required().example("autoscaling_groups.web"),
    ],
);
