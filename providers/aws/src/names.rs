//! Names within AWS's limits: the same for the same address, and readable as far as there is room.

use standfast_contract::{Address, Stack};

/// Load balancers and target groups: letters, digits and hyphens.
pub(crate) const SHORT_MAX: usize = 32;
/// Roles and instance profiles, which are the account's: the digest of the address tells regions apart.
pub(crate) const ROLE_MAX: usize = 64;
/// The last part of a parameter's name, which is part of a path.
pub(crate) const PARAMETER_MAX: usize = 200;
/// Launch templates.
pub(crate) const TEMPLATE_MAX: usize = 128;
/// Security groups and autoscaling groups.
pub(crate) const LONG_MAX: usize = 255;

const RESERVED: [&str; 2] = ["internal-", "sg-"];

/// `shop-front-1f9a0c3b`: stack, component and the name behind the kind unless that is `main`, then a digest of the
/// whole address, so that two addresses never share a name, however much of it had to go.
pub(crate) fn name(stack: &Stack, address: &Address, max: usize) -> String {
    let whole = format!("{}\n{}\n{address}\n", stack.name, stack.environment);
    let digest = blake3::hash(whole.as_bytes());
    let digest = &digest.to_hex()[..8];
    let component = address.component().split_once('.').map_or(address.component(), |(_, name)| name);
    let mut readable = format!("{}-{component}", stack.name);
    if address.name() != "main" && address.name() != component {
        readable = format!("{readable}-{}", address.name());
    }
    // As a load balancer's name may not begin, and a security group's.
    let readable = RESERVED.iter().find_map(|prefix| readable.strip_prefix(prefix)).unwrap_or(&readable);
    let clean: String = readable.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let room = max - digest.len() - 1;
    let cut = clean.get(..room).unwrap_or(&clean).trim_matches('-');
    format!("{cut}-{digest}")
}

/// How the [`name`]s of a stack begin, as far as that is theirs alone.
pub(crate) fn led(stack: &Stack) -> String {
    let whole = format!("{}-", stack.name);
    let own = RESERVED.iter().find_map(|prefix| whole.strip_prefix(prefix)).unwrap_or(&whole);
    let clean = own.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    clean.take(20).collect::<String>().trim_matches('-').to_owned()
}

/// Databases. <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html>
pub(crate) const DATABASE_MAX: usize = 63;

/// Session stores. <https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html>
pub(crate) const STORE_MAX: usize = 40;

/// How the [`identifier`]s of a stack begin, so that those of others need not be asked for their tags.
pub(crate) fn beginning(stack: &Stack) -> String {
    let clean = stack.name.to_ascii_lowercase();
    let mut clean: String = clean.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    while clean.contains("--") {
        clean = clean.replace("--", "-");
    }
    let clean = clean.trim_matches('-');
    // [`name`] takes those away.
    let is_reserved = RESERVED.iter().any(|prefix| format!("{clean}-").starts_with(prefix));
    let is_plain = clean.starts_with(|c: char| c.is_ascii_alphabetic()) && !is_reserved;
    let led = if is_plain { "" } else { "s-" };
    format!("{led}{clean}").chars().take(20).collect::<String>().trim_end_matches('-').to_owned()
}

/// As [`name`], for those who take lower case only, a letter first and no two hyphens in a row: databases and
/// session stores.
pub(crate) fn identifier(stack: &Stack, address: &Address, max: usize) -> String {
    let begins = Stack { name: beginning(stack), ..stack.clone() };
    let mut name = name(&begins, address, max).to_ascii_lowercase();
    while name.contains("--") {
        name = name.replace("--", "-");
    }
    name
}

/// `shop front eu-west-1a`: what the console shows in the column `Name`.
pub(crate) fn label(stack: &Stack, address: &Address) -> String {
    let component = address.component().split_once('.').map_or(address.component(), |(_, name)| name);
    let environment =
        if stack.environment == "default" { String::new() } else { format!(" {}", stack.environment) };
    let name = if address.name() == "main" { String::new() } else { format!(" {}", address.name()) };
    format!("{}{environment} {component}{name}", stack.name)
}

/// A server of a database, of this number: its zone, so that one more renames none.
pub(crate) fn server(zones: &[String], at: usize) -> String {
    let zone = zones.get(at % zones.len().max(1)).map_or("", String::as_str);
    match at / zones.len().max(1) {
        0 => zone.to_owned(),
        round => format!("{zone}.{}", round + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(address: &str, environment: &str, max: usize) -> String {
        let stack = Stack { name: "shop".into(), environment: environment.into() };
        name(&stack, &address.parse().unwrap(), max)
    }

    #[test]
    fn a_name_is_readable_within_its_limit_and_differs_with_all_of_the_address() {
        let front = "home/load_balancers.front/load_balancer.main";
        assert!(named(front, "default", SHORT_MAX).starts_with("shop-front-"));
        let long = "home/load_balancers.a-very-long-name-of-a-load-balancer/target_group.web.blue";
        let name = named(long, "default", SHORT_MAX);
        assert_eq!(name.len(), SHORT_MAX);
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{name}");
        let other = "away/load_balancers.front/load_balancer.main";
        assert_ne!(named(front, "default", SHORT_MAX), named(other, "default", SHORT_MAX));
        assert_ne!(named(front, "default", SHORT_MAX), named(front, "staging", SHORT_MAX));
    }

    /// Load balancers may not begin with the one, security groups not with the other.
    #[test]
    fn no_name_begins_as_aws_forbids() {
        let address = "home/autoscaling_groups.web/security_group.main".parse().unwrap();
        for stack in ["internal", "sg", "sg-prod"] {
            let stack = Stack { name: stack.into(), environment: "default".into() };
            let name = name(&stack, &address, LONG_MAX);
            assert!(name.starts_with(&led(&stack)), "{name}");
            assert!(!name.starts_with("internal-") && !name.starts_with("sg-"), "{name}");
            let identifier = identifier(&stack, &address, DATABASE_MAX);
            assert!(identifier.starts_with(&beginning(&stack)), "{identifier}");
        }
    }

    #[test]
    fn an_identifier_is_lower_case_with_a_letter_first_and_single_hyphens() {
        let stack = Stack { name: "9--Shop_EU".into(), environment: "default".into() };
        let address = "home/databases.orders--x/db_instance.main".parse().unwrap();
        let name = identifier(&stack, &address, DATABASE_MAX);
        assert!(name.starts_with("s-9-shop-eu-orders-x-"), "{name}");
        assert!(name.starts_with(&beginning(&stack)));
        let long = Stack { name: "a".repeat(64), ..stack };
        assert!(identifier(&long, &address, 40).len() <= 40);
        assert!(identifier(&long, &address, 40).starts_with(&beginning(&long)));
    }
}
