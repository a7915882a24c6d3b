//! Keys of regions and their hosts, and of what hosts have in common.

use super::{Key, Naming, Object, Shape};

pub static REGION: Object = Object::new(
    "region",
    "a region",
    "A place with a provider: a site of your own hosts, or a region of a cloud.",
    &[
        Key::new(
            "provider",
            Shape::Choice(&[
                ("ssh", "your own hosts, over SSH"),
                ("aws", "Amazon Web Services"),
                ("sim", "a simulated world on this machine"),
            ]),
            "Who makes things there.",
        )
        .required(),
        Key::new("location", Shape::Text, "The provider's own name of the region.").example("eu-west-1"),
        Key::new(
            "zones",
            Shape::Either(&[
                Shape::Int(1, 26),
                Shape::List(&Shape::Text),
                Shape::Map(Naming::Plain("zones"), &Shape::Object(&ZONE)),
            ]),
            "Failure domains: racks, rooms, power feeds, with their hosts; or, where the provider makes the machines, how many zones or which.",
        )
        .required(),
        Key::new("ssh", Shape::Object(&SSH), "How hosts are reached."),
        Key::new("network", Shape::Cidr, "The addresses of the region.").example("10.20.0.0/16"),
        Key::new("account", Shape::Text, "The account that must answer, checked before anything is done."),
        Key::new("assume_role", Shape::Text, "A role to assume."),
        Key::new("sim", Shape::Object(&SIM), "How the simulated world behaves."),
        Key::new("tags", Shape::Map(Naming::Free, &Shape::Text), "Labels that everything made in the region carries."),
    ],
);

pub static ZONE: Object = Object::new(
    "zone",
    "a zone",
    "A failure domain: what is in it may be lost together.",
    &[Key::new(
        "hosts",
        Shape::Map(Naming::Dotted("hosts"), &Shape::Either(&[Shape::Text, Shape::Object(&HOST)])),
        "Hosts by name: an address, or a map.",
    )
    .example("{ web1: 10.77.0.21 }")],
);

pub static HOST: Object = Object::new(
    "host",
    "a host",
    "A machine that is there already.",
    &[
        Key::new("address", Shape::Text, "An IP address or a DNS name.").required(),
        Key::new("port", Shape::Port, "The port of its SSH server, where it differs from the region's."),
        Key::new("user", Shape::Text, "The login user, where it differs from the region's."),
    ],
);

pub static SSH: Object = Object::new(
    "ssh",
    "the way in by SSH",
    "How hosts are reached. What is not said here is taken from your own `~/.ssh/config`.",
    &[
        Key::new("user", Shape::Text, "The login user.").example("deploy"),
        Key::new("port", Shape::Port, "The port of the SSH servers."),
        Key::new(
            "become",
            Shape::Choice(&[("no", "work as the login user"), ("sudo", "work as root through sudo")]),
            "How to become root on the hosts.",
        )
        .default("no"),
        Key::new("become_password", Shape::Secret, "The password that sudo asks for.")
            .example("${secrets.sudo_password}"),
        Key::new("known_hosts", Shape::Path, "A known_hosts file instead of your own."),
        Key::new("identity_file", Shape::Path, "A private key."),
        Key::new("config", Shape::Path, "An ssh_config file instead of your own."),
        Key::new("jump_host", Shape::Text, "A host to go through.").example("bastion.example.net"),
        Key::new("connect_timeout", Shape::Duration, "Given up after so long."),
    ],
);

pub static SIM: Object = Object::new(
    "sim",
    "a simulated world",
    "How the simulated world behaves. The same seed gives the same world.",
    &[
        Key::new("seed", Shape::Int(0, i64::MAX), "Where its chance begins.").default("0"),
        Key::new("latency", Shape::Duration, "Of each call.").default("0s"),
        Key::new("faults", Shape::Share, "Calls that fail and may be tried again.").default("0%"),
        Key::new("lost_answers", Shape::Share, "Calls whose answer is lost after they took effect.")
            .default("0%"),
    ],
);

pub static BASELINE: Object = Object::new(
    "baseline",
    "a baseline",
    "What hosts have in common, whatever they serve.",
    &[
        Key::new(
            "hosts",
            Shape::Either(&[
                Shape::Choice(&[("all", "every host of the region")]),
                Shape::List(&Shape::Reference("a host")),
            ]),
            "Which hosts.",
        )
        .default("all"),
        Key::new("packages", Shape::List(&Shape::Text), "Debian packages that are installed."),
        Key::new("directories", Shape::List(&Shape::Object(&DIRECTORY)), "Directories that are there."),
        Key::new("files", Shape::List(&Shape::Object(&FILE)), "Files that are there."),
        Key::new(
            "users",
            Shape::Map(Naming::Dotted("users"), &Shape::Object(&USER)),
            "Users that exist, by name.",
        ),
        Key::new("sysctl", Shape::Map(Naming::Free, &Shape::Value), "Kernel settings.")
            .example("{ net.ipv4.ip_nonlocal_bind: 1 }"),
        Key::new(
            "units",
            Shape::Map(Naming::Dotted("units"), &Shape::Object(&UNIT)),
            "systemd unit files, by name.",
        ),
        Key::new(
            "services",
            Shape::Map(Naming::Dotted("services"), &Shape::Object(&SERVICE)),
            "systemd services, by name.",
        ),
        Key::new(
            "firewall",
            Shape::Object(&FIREWALL),
            "What may come in. Established connections, loopback and the way in by SSH always may.",
        ),
    ],
)
.component();

pub static DIRECTORY: Object = Object::new(
    "directory",
    "a directory",
    "A directory on hosts.",
    &[
        Key::new("path", Shape::HostPath, "Where.").required(),
        Key::new("owner", Shape::Text, "The user it belongs to.").default("root"),
        Key::new("group", Shape::Text, "The group it belongs to.").default("root"),
        Key::new("mode", Shape::Mode, "Who may do what.").default("0755"),
    ],
);

pub static FILE: Object = Object::new(
    "file",
    "a file",
    "A file on hosts, or all files of a local folder.",
    &[
        Key::new("to", Shape::HostPath, "Where.").required(),
        Key::new("from", Shape::Path, "A local file or folder."),
        Key::new("content", Shape::Value, "The content itself."),
        Key::new("template", Shape::Path, "A local minijinja template. It knows `host` (name, address, zone), `stack` and its variables."),
        Key::new("variables", Shape::Map(Naming::Free, &Shape::Any), "Variables of the template."),
        Key::new("owner", Shape::Text, "The user it belongs to.").default("root"),
        Key::new("group", Shape::Text, "The group it belongs to.").default("root"),
        Key::new("mode", Shape::Mode, "Who may do what.").default("0644"),
        Key::new("sensitive", Shape::Bool, "Its content is never shown.").default("false"),
        Key::new("reloads", Shape::List(&Shape::Text), "Services to reload when it changes."),
        Key::new("restarts", Shape::List(&Shape::Text), "Services to restart when it changes."),
        Key::new("validate", Shape::Text, "A command on the host that must accept the new content before it is put in place; `%s` is its path.")
            .example("nginx -t -c %s"),
    ],
)
.one_of(&["from", "content", "template"]);

pub static USER: Object = Object::new(
    "user",
    "a user",
    "A user of hosts.",
    &[
        Key::new("uid", Shape::Int(1, 4_294_967_294), "Its number."),
        Key::new("groups", Shape::List(&Shape::Text), "Groups beside its own."),
        Key::new("shell", Shape::HostPath, "Its login shell.").default("/bin/bash"),
        Key::new("home", Shape::HostPath, "Its home directory."),
        Key::new("system", Shape::Bool, "A user of the system, for a service.").default("false"),
        Key::new("authorized_keys", Shape::List(&Shape::Text), "Public keys that may log in as it."),
    ],
);

pub static UNIT: Object = Object::new(
    "unit",
    "a unit",
    "A systemd unit file.",
    &[
        Key::new("from", Shape::Path, "A local file."),
        Key::new("content", Shape::Value, "The content itself."),
        Key::new("template", Shape::Path, "A local minijinja template."),
        Key::new("variables", Shape::Map(Naming::Free, &Shape::Any), "Variables of the template."),
    ],
)
.one_of(&["from", "content", "template"]);

pub static SERVICE: Object = Object::new(
    "service",
    "a service",
    "The state of a systemd service.",
    &[
        Key::new("enabled", Shape::Bool, "Started at boot.").default("true"),
        Key::new("running", Shape::Bool, "Running now.").default("true"),
    ],
);

pub static FIREWALL: Object = Object::new(
    "firewall",
    "a firewall",
    "What may come in to hosts.",
    &[Key::new(
        "allow",
        Shape::List(&Shape::Object(&FIREWALL_RULE)),
        "Rules; what none of them allows is dropped.",
    )
    .required()],
);

pub static FIREWALL_RULE: Object = Object::new(
    "firewall_rule",
    "a firewall rule",
    "Something that may come in.",
    &[
        Key::new(
            "protocol",
            Shape::Choice(&[
                ("tcp", "TCP"),
                ("udp", "UDP"),
                ("icmp", "ICMP and ICMPv6"),
                ("vrrp", "the virtual IP's protocol"),
            ]),
            "Of what kind.",
        )
        .default("tcp"),
        Key::new("ports", Shape::List(&Shape::Port), "To which ports; all by default.").example("[80, 443]"),
        Key::new("from", Shape::List(&Shape::Cidr), "From which networks; from anywhere by default."),
    ],
);
