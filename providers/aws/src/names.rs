//! Names within AWS's limits: the same for the same address, and readable as far as there is room.

use standfast_contract::{Address, Stack};

/// Load balancers and target groups: letters, digits and hyphens.
pub(crate) const SHORT_MAX: usize = 32;
/// Launch templates.
pub(crate) const TEMPLATE_MAX: usize = 128;
/// Security groups and autoscaling groups.
pub(crate) const LONG_MAX: usize = 255;

/// `shop-front-1f9a0c3b`: stack, component and the name behind the kind unless that is `main`, then a digest of the
/// whole address, so that two addresses never share a name, however much of it had to go.
pub(crate) fn name(stack: &Stack, address: &Address, max: usize) -> String {
    versioned(stack, address, "", max)
}

/// The same, and another one for each `version`: for what is replaced by a new one that is made before the old one is
/// gone.
pub(crate) fn versioned(stack: &Stack, address: &Address, version: &str, max: usize) -> String {
    let whole = format!("{}\n{}\n{address}\n{version}", stack.name, stack.environment);
    let digest = blake3::hash(whole.as_bytes());
    let digest = &digest.to_hex()[..8];
    let component = address.component().split_once('.').map_or(address.component(), |(_, name)| name);
    let mut readable = format!("{}-{component}", stack.name);
    if address.name() != "main" && address.name() != component {
        readable = format!("{readable}-{}", address.name());
    }
    // A load balancer's name may not begin with this.
    let readable = readable.strip_prefix("internal-").unwrap_or(&readable);
    let clean: String = readable.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let room = max - digest.len() - 1;
    let cut = clean.get(..room).unwrap_or(&clean).trim_matches('-');
    format!("{cut}-{digest}")
}

/// `shop front eu-west-1a`: what the console shows in the column `Name`.
pub(crate) fn label(stack: &Stack, address: &Address) -> String {
    let component = address.component().split_once('.').map_or(address.component(), |(_, name)| name);
    let environment =
        if stack.environment == "default" { String::new() } else { format!(" {}", stack.environment) };
    let name = if address.name() == "main" { String::new() } else { format!(" {}", address.name()) };
    format!("{}{environment} {component}{name}", stack.name)
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
}
