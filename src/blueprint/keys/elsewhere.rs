//! Words that people bring from other tools (Terraform, CloudFormation, Ansible, Kamal), and the key that does the same here.
//!
//! They are no keys: only the hint of an unknown one is made of them.

/// Words for one thing.
pub struct Elsewhere {
    pub words: &'static [&'static str],
    /// The key, from the map that the word stands in, or from the blueprint: `capacity.max`, `regions.NAME.zones`. Empty where
    /// nothing has to be said.
    pub here: &'static str,
    /// One sentence, where the key alone does not explain itself.
    pub note: &'static str,
}

const fn is(words: &'static [&'static str], here: &'static str) -> Elsewhere {
    Elsewhere { words, here, note: "" }
}

const fn so(words: &'static [&'static str], here: &'static str, note: &'static str) -> Elsewhere {
    Elsewhere { words, here, note }
}

impl Elsewhere {
    /// The next move, for who wrote one of the words.
    pub fn help(&self) -> String {
        match (self.here, self.note) {
            (here, "") => format!("did you mean `{here}`?"),
            ("", note) => note.to_owned(),
            (here, note) => format!("`{here}` does this: {note}"),
        }
    }
}

/// What a word means in the map of this id.
pub fn find(object: &str, word: &str) -> Option<&'static Elsewhere> {
    let (_, known) = ELSEWHERE.iter().find(|(id, _)| *id == object)?;
    known.iter().find(|one| one.words.contains(&word))
}

const SUBNETS: &[&str] = &[
    "subnets",
    "subnet_ids",
    "subnet_group",
    "db_subnet_group",
    "db_subnet_group_name",
    "subnet_group_name",
    "vpc_zone_identifier",
    "availability_zones",
    "azs",
];
const GUARDS: &[&str] =
    &["security_groups", "security_group_ids", "vpc_security_group_ids", "security_group", "firewall_rules"];
const VPC: &[&str] = &["vpc", "vpc_id", "network", "network_id"];
const NAMES: &[&str] = &["identifier", "cluster_identifier", "name_prefix"];
const SIZES: &[&str] = &[
    "instance_class",
    "db_instance_class",
    "node_type",
    "cache_node_type",
    "machine_type",
    "vm_size",
    "flavor",
    "class",
    "size",
];

const PLACED: Elsewhere = so(
    SUBNETS,
    "regions.NAME.zones",
    "there are subnets in every zone, and each thing goes where it belongs",
);
const GUARDED: Elsewhere =
    so(GUARDS, "", "security groups follow from who uses whom: routes, references and `depends_on`");
const IN_NETWORK: Elsewhere =
    so(VPC, "networks.NAME.existing", "everything of a region goes into the network of that region");
const NAMED: Elsewhere = so(NAMES, "", "names in the world follow from the stack's and the component's");
const PROTECTED: Elsewhere =
    is(&["enable_deletion_protection", "termination_protection", "delete_protection"], "deletion_protection");
const ENCRYPTED: &[&str] = &[
    "storage_encrypted",
    "encrypted",
    "kms_key_id",
    "at_rest_encryption_enabled",
    "transit_encryption_enabled",
];

#[rustfmt::skip]
pub static ELSEWHERE: &[(&str, &[Elsewhere])] = &[
    ("blueprint", &[
        is(&["provider", "providers", "cloud"], "regions.NAME.provider"),
        is(&["inventory", "hosts"], "regions.NAME.zones"),
        is(&["vpc", "vpcs", "network"], "networks"),
        is(&["load_balancer", "alb", "nlb", "elb", "lb", "lbs", "proxy"], "load_balancers"),
        is(&["autoscaling_group", "asg", "groups", "services", "instances", "servers", "compute"], "autoscaling_groups"),
        is(&["rds", "db", "database", "aurora"], "databases"),
        is(&["redis", "cache", "caches", "elasticache", "accessories"], "session_stores"),
        is(&["route53", "zones", "domains"], "dns"),
        is(&["alarms", "alerts", "cloudwatch"], "monitoring"),
        is(&["vars", "parameters", "locals", "inputs"], "variables"),
        is(&["version", "format"], "standfast"),
        is(&["stack", "service", "project", "app"], "name"),
        is(&["default_tags", "tags"], "regions.NAME.tags"),
        is(&["envs", "workspaces", "stages"], "environments"),
        so(&["outputs", "output"], "", "every component has its outputs already: `standfast outputs` tells them"),
        so(&["backend", "terraform", "state"], "", "where the state is kept is said at the command line: `--state`"),
        so(&["resource", "resources", "modules"], "", "each kind of component has its section: `load_balancers`, `databases` and so on"),
    ]),
    ("region", &[
        is(&["region", "aws_region", "name"], "location"),
        is(&["availability_zones", "azs", "hosts", "servers", "inventory"], "zones"),
        is(&["cidr", "cidr_block", "vpc_cidr"], "network"),
        is(&["vpc", "vpc_id"], "networks.NAME.existing"),
        is(&["account_id", "allowed_account_ids"], "account"),
        is(&["role_arn", "assume_role_arn", "role"], "assume_role"),
        is(&["default_tags", "labels"], "tags"),
        is(&["ansible_user", "ssh_user", "user", "remote_user"], "ssh.user"),
        so(&["profile", "access_key", "secret_key", "credentials", "shared_credentials_file"], "",
            "it signs in as the AWS command line does, for example with `AWS_PROFILE`"),
        so(&["endpoint", "endpoints", "endpoint_url"], "", "set `AWS_ENDPOINT_URL` in the environment"),
    ]),
    ("zone", &[is(&["servers", "instances", "machines"], "hosts")]),
    ("host", &[
        is(&["ip", "ansible_host", "hostname", "host"], "address"),
        is(&["ansible_user", "ssh_user", "username"], "user"),
        is(&["ansible_port", "ssh_port"], "port"),
    ]),
    ("ssh", &[
        is(&["username", "ansible_user", "remote_user"], "user"),
        is(&["private_key", "private_key_path", "key", "key_file", "keys"], "identity_file"),
        is(&["sudo"], "become"),
        is(&["bastion", "bastion_host", "proxy", "proxy_jump"], "jump_host"),
        is(&["timeout"], "connect_timeout"),
    ]),
    ("baseline", &[
        is(&["apt", "package", "pkgs", "package_list"], "packages"),
        is(&["service", "systemd"], "services"),
        is(&["user", "accounts"], "users"),
        is(&["file", "copy", "templates", "template"], "files"),
        is(&["directory", "folders", "dirs"], "directories"),
        is(&["kernel", "sysctls"], "sysctl"),
        is(&["cron", "timers", "tasks"], "units"),
        is(&["iptables", "nftables", "ufw"], "firewall"),
    ]),
    ("file", &[
        is(&["src", "source", "local"], "from"),
        is(&["dest", "destination", "path", "target", "remote"], "to"),
        is(&["permissions", "chmod"], "mode"),
        is(&["vars"], "variables"),
        is(&["notify", "handlers"], "restarts"),
    ]),
    ("directory", &[
        is(&["dest", "name", "to"], "path"),
        is(&["permissions", "chmod"], "mode"),
    ]),
    ("user", &[is(&["ssh_keys", "ssh_authorized_keys", "keys", "key"], "authorized_keys")]),
    ("service", &[is(&["state", "started"], "running")]),
    ("firewall_rule", &[
        is(&["port", "dport"], "ports"),
        is(&["source", "sources", "src", "cidr", "cidr_blocks"], "from"),
        is(&["proto"], "protocol"),
    ]),
    ("network", &[
        is(&["cidr_block", "vpc_cidr", "address_space"], "cidr"),
        is(&["vpc_id", "id"], "existing"),
        is(&["enable_nat_gateway", "single_nat_gateway", "one_nat_gateway_per_az", "nat_gateway", "nat_gateways"], "nat"),
        is(&["azs", "availability_zones"], "regions.NAME.zones"),
        so(&["subnets", "private_subnets", "public_subnets", "database_subnets"], "cidr",
            "public, private and database subnets of every zone are cut from it"),
        so(&["internet_gateway", "route_tables", "routes", "enable_dns_hostnames"], "", "it comes with the network"),
        GUARDED,
    ]),
    ("load_balancer", &[
        so(&["type", "load_balancer_type"], "layer", "`7` is an ALB, `4` an NLB"),
        so(&["scheme"], "internal", "`internal: true` for one that only its network reaches"),
        is(&["ports", "port"], "listeners.port"),
        is(&["certificate", "certificate_arn", "certificates", "ssl_certificate", "ssl", "tls"], "listeners.certificate"),
        is(&["redirect"], "listeners.redirect"),
        is(&["rules", "routes"], "listeners.routes"),
        is(&["target_groups", "target_group", "targets", "backends", "instances"], "listeners.to"),
        is(&["health_check_path"], "autoscaling_groups.NAME.health_check.path"),
        is(&["health_check", "healthcheck"], "autoscaling_groups.NAME.health_check"),
        is(&["deregistration_delay", "connection_draining", "connection_draining_timeout"], "drain_timeout"),
        is(&["vip", "floating_ip"], "virtual_ip"),
        is(&["balance", "load_balancing_algorithm_type"], "algorithm"),
        is(&["logs", "access_log"], "access_logs"),
        is(&["hostname", "domain", "dns", "host"], "dns.NAME.records"),
        PLACED, GUARDED, IN_NETWORK, NAMED, PROTECTED,
    ]),
    ("listener", &[
        so(&["protocol", "ssl", "tls"], "certificate", "with one it speaks TLS; without, HTTP at layer 7 and TCP at layer 4"),
        is(&["certificate_arn", "certificates", "ssl_certificate"], "certificate"),
        is(&["default_action", "default_actions", "forward", "target_group", "target_group_arn", "target", "backend"], "to"),
        is(&["rules", "rule"], "routes"),
        so(&["ssl_policy"], "", "TLS 1.2 and 1.3 are spoken, and nothing older"),
    ]),
    ("certificate", &[
        is(&["domain_name", "name", "common_name"], "domain"),
        is(&["subject_alternative_names", "alternative_names", "sans", "san"], "also"),
        so(&["validation_method", "validation"], "", "it is proven by DNS, in the blueprint's own zones"),
    ]),
    ("route", &[
        is(&["path_pattern", "path_prefix", "prefix"], "path"),
        is(&["host_header", "hostname", "domain"], "host"),
        is(&["target_group", "target_group_arn", "target", "forward", "backend"], "to"),
        so(&["priority"], "", "the order of the list is the order in which they are tried"),
    ]),
    ("stickiness", &[
        is(&["cookie_name", "name"], "cookie"),
        is(&["duration", "cookie_duration"], "ttl"),
    ]),
    ("autoscaling_group", &[
        is(&["ami", "ami_id", "image_id"], "image"),
        is(SIZES, "instance_type"),
        so(&["user_data", "user_data_base64", "cloud_init", "startup_script"], "workload",
            "say what runs on the machines; the script that they boot with is made of it"),
        is(&["container", "docker"], "workload.container"),
        is(&["package", "packages"], "workload.package"),
        is(&["release", "artifact"], "workload.release"),
        is(&["env", "environment", "environment_variables"], "workload.environment"),
        is(&["command", "cmd"], "workload.command"),
        is(&["desired_capacity", "desired_size", "desired", "desired_count", "count", "replicas"], "capacity.desired"),
        is(&["min_size", "min", "min_capacity", "minimum"], "capacity.min"),
        is(&["max_size", "max", "max_capacity", "maximum"], "capacity.max"),
        is(&["mixed_instances_policy", "overrides"], "instance_types"),
        is(&["spot_price", "spot_percentage", "on_demand_percentage_above_base_capacity"], "spot.share"),
        is(&["on_demand_base_capacity"], "spot.base"),
        is(&["health_check_path"], "health_check.path"),
        is(&["health_check_port"], "health_check.port"),
        is(&["health_check_interval"], "health_check.interval"),
        is(&["health_check_grace_period", "warmup"], "update.health_timeout"),
        so(&["health_check_type"], "health_check", "where a load balancer leads to the group, its checks count"),
        is(&["target_groups", "target_group_arns", "load_balancers", "load_balancer"], "load_balancers.NAME.listeners.to"),
        is(&["scaling_policy", "scaling_policies", "autoscaling", "policies"], "scaling"),
        is(&["scheduled_actions", "schedules"], "schedule"),
        is(&["instance_refresh", "rolling_update", "deploy", "strategy"], "update"),
        is(&["servers"], "hosts"),
        so(&["key_name", "ssh_key", "key_pair"], "", "machines are reached by Session Manager: they need no key and no port"),
        so(&["iam_role", "iam_instance_profile", "instance_profile", "role"], "", "its machines have a role of their own, with least rights"),
        so(&["launch_template", "launch_configuration"], "", "it is made of `image`, `instance_type` and `workload`"),
        PLACED, GUARDED, IN_NETWORK, NAMED, PROTECTED,
    ]),
    ("capacity", &[
        is(&["desired_capacity", "desired_size", "count", "replicas"], "desired"),
        is(&["min_size", "min_capacity", "minimum"], "min"),
        is(&["max_size", "max_capacity", "maximum"], "max"),
    ]),
    ("schedule", &[
        is(&["recurrence", "schedule", "at"], "cron"),
        is(&["desired_capacity"], "desired"),
        is(&["min_size", "min_capacity"], "min"),
        is(&["max_size", "max_capacity"], "max"),
        so(&["start_time", "end_time"], "cron", "what is scheduled comes again; nothing is done once only"),
    ]),
    ("workload", &[
        is(&["image", "docker", "docker_image"], "container"),
        is(&["cmd", "entrypoint", "args"], "command"),
        is(&["env", "environment_variables", "variables"], "environment"),
        is(&["port", "ports"], "autoscaling_groups.NAME.port"),
        is(&["archive", "artifact", "tarball"], "release"),
        is(&["exec", "exec_start", "start"], "run"),
        is(&["apt", "deb", "packages"], "package"),
    ]),
    ("health_check", &[
        is(&["healthy_threshold"], "healthy"),
        is(&["unhealthy_threshold", "retries", "failure_threshold"], "unhealthy"),
        is(&["url", "uri"], "path"),
        is(&["period", "period_seconds"], "interval"),
        so(&["protocol", "type"], "path", "with one it asks by HTTP, without it connects by TCP"),
        so(&["matcher", "success_codes"], "", "2xx and 3xx are healthy"),
        is(&["grace_period", "start_period", "initial_delay_seconds"], "autoscaling_groups.NAME.update.health_timeout"),
    ]),
    ("scaling", &[
        is(&["target_value", "threshold"], "target"),
        is(&["type", "predefined_metric_type", "policy_type", "metric_name"], "metric"),
    ]),
    ("update", &[
        is(&["min_healthy_percentage", "max_surge", "batch_size"], "max_unavailable"),
        is(&["timeout", "grace_period", "instance_warmup"], "health_timeout"),
        is(&["auto_rollback", "rollback"], "on_failure"),
        is(&["type"], "strategy"),
    ]),
    ("database", &[
        so(&["multi_az", "multi_az_deployment", "high_availability"], "replicas",
            "the first is the standby of Multi-AZ, which `topology: single` has not"),
        is(&["read_replicas", "replica_count", "replicate_source_db"], "replicas"),
        is(SIZES, "instance_type"),
        so(&["allocated_storage", "disk_size", "volume_size"], "storage", "with its unit, such as `20GiB`"),
        so(&["max_allocated_storage", "storage_autoscaling"], "storage", "it grows when more is said"),
        so(&["storage_type", "iops"], "", "disks are gp3"),
        so(ENCRYPTED, "", "it is always encrypted"),
        is(&["engine_version"], "version"),
        is(&["master_username", "user"], "username"),
        is(&["master_password", "master_user_password", "manage_master_user_password"], "password"),
        so(&["backup_retention_period", "backup_retention", "retention"], "backup.keep", "with its unit, such as `7d`"),
        is(&["backup_window", "preferred_backup_window"], "backup.window"),
        is(&["preferred_maintenance_window"], "maintenance_window"),
        so(&["skip_final_snapshot", "final_snapshot_identifier", "deletion_policy"], "", "deleting a database always leaves a snapshot"),
        is(&["parameter_group", "parameter_group_name", "db_parameter_group"], "parameters"),
        so(&["publicly_accessible"], "", "a database is never reached from outside of its network"),
        so(&["apply_immediately"], "", "an apply changes it at once"),
        so(&["port"], "", "it listens where its engine always does"),
        PLACED, GUARDED, IN_NETWORK, NAMED, PROTECTED,
    ]),
    ("backup", &[
        so(&["retention", "retention_period", "backup_retention_period", "keep_days"], "keep", "with its unit, such as `7d`"),
        is(&["schedule", "frequency", "interval", "cron"], "every"),
        is(&["pitr", "point_in_time_recovery"], "point_in_time"),
        is(&["destination", "bucket", "s3"], "to"),
    ]),
    ("session_store", &[
        is(&["num_cache_nodes", "number_cache_clusters", "num_cache_clusters", "replicas_per_node_group", "replica_count"], "replicas"),
        so(&["automatic_failover_enabled", "automatic_failover", "multi_az_enabled", "multi_az"], "replicas",
            "one that has any fails over by itself, into another zone"),
        is(SIZES, "instance_type"),
        is(&["engine_version"], "version"),
        is(&["auth_token"], "password"),
        so(ENCRYPTED, "", "it is always encrypted, at rest and in transit"),
        so(&["port"], "", "it listens where its engine always does"),
        PLACED, GUARDED, IN_NETWORK, NAMED, PROTECTED,
    ]),
    ("dns", &[
        is(&["hosted_zone", "zone_name", "domain", "domain_name", "name"], "zone"),
        is(&["record", "names", "recordsets"], "records"),
    ]),
    ("dns_record", &[
        is(&["alias", "alias_target", "target", "value", "values", "records", "load_balancer"], "to"),
        is(&["routing_policy", "policy", "failover", "latency"], "routing"),
        is(&["host", "hostname", "domain", "fqdn"], "name"),
        so(&["type"], "", "a name leads to its load balancer by whatever record that needs"),
        so(&["evaluate_target_health", "set_identifier"], "", "it follows from `routing`"),
    ]),
    ("monitoring", &[
        is(&["alarm_actions", "sns_topic", "contacts", "receivers", "channels"], "notify"),
        is(&["alerts", "rules"], "alarms"),
        is(&["retention_in_days"], "retention"),
    ]),
    ("alarm", &[
        is(&["metric_name"], "metric"),
        so(&["threshold", "comparison_operator"], "above", "or `below`"),
        is(&["period", "evaluation_periods", "duration"], "for"),
        is(&["alarm_actions", "actions"], "notify"),
        is(&["component", "dimensions", "resource"], "of"),
    ]),
    ("notify", &[
        is(&["url", "slack", "pagerduty", "sns"], "webhook"),
        is(&["mail", "address"], "email"),
    ]),
    ("disaster_recovery", &[
        is(&["source", "primary"], "from"),
        is(&["target", "secondary", "to"], "into"),
    ]),
    ("variable", &[is(&["value"], "default")]),
    ("secret", &[
        is(&["environment", "from_env", "variable"], "env"),
        is(&["path"], "file"),
        is(&["cmd", "exec"], "command"),
        is(&["secrets_manager", "secretsmanager", "arn"], "aws_secrets_manager"),
    ]),
    ("lifecycle", &[
        so(&["replace_triggered_by"], "", "`--replace ADDRESS` of `plan` makes something anew"),
    ]),
];

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::{
        super::{BLUEPRINT, Object, Shape, tests::visit},
        *,
    };

    /// The objects that a shape holds, below lists and maps.
    fn below(shape: &'static Shape) -> Option<&'static Object> {
        match shape {
            Shape::Object(object) => Some(object),
            Shape::List(inner) | Shape::Map(_, inner) | Shape::Partial(inner) => below(inner),
            Shape::Either(shapes) => shapes.iter().find_map(below),
            _ => None,
        }
    }

    /// Whether a path of keys leads somewhere, the names in it left out.
    fn leads(from: &'static Object, path: &str) -> bool {
        let mut keys = path.split('.').filter(|step| *step != "NAME").peekable();
        let mut object = Some(from);
        while let Some(key) = keys.next() {
            let Some(found) = object.and_then(|object| object.key(key)) else { return false };
            object = below(&found.shape);
            if keys.peek().is_none() {
                return true;
            }
        }
        false
    }

    #[test]
    fn every_word_leads_to_a_key_and_is_none_itself() {
        let mut objects = BTreeMap::new();
        visit(&BLUEPRINT, &mut BTreeSet::new(), &mut |object| {
            objects.insert(object.id, object);
        });
        for (id, known) in ELSEWHERE {
            let object = objects.get(id).unwrap_or_else(|| panic!("no object {id}"));
            let mut seen = BTreeSet::new();
            for one in *known {
                let (here, words) = (one.here, one.words);
                assert!(here.is_empty() || leads(object, here) || leads(&BLUEPRINT, here), "{id}: {here}");
                assert!(!(here.is_empty() && one.note.is_empty()), "{id}: {words:?} says nothing");
                for word in words {
                    assert!(seen.insert(word), "{id}: `{word}` twice");
                    assert!(object.key(word).is_none(), "{id}: `{word}` is a key");
                }
            }
        }
        assert!(!leads(&BLUEPRINT, "regions.NAME.nowhere") && !leads(&BLUEPRINT, "name.x"));
    }
}
