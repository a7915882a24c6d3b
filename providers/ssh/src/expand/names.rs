//! How things are called on hosts: users, units, tables and paths, each within its own rules.

use std::time::Duration;

use standfast_contract::{Stack, component::Host};

/// The longest name that Linux takes for a user (`LOGIN_NAME_MAX`, useradd(8)).
const USER_NAME_LENGTH_MAX: usize = 32;

/// Room for a host's name, a kind and a component in an address of 128 characters a part.
const LEAF_LENGTH_MAX: usize = 80;

/// `shop-web`: what a component of a stack is called on hosts. Lower case, digits and `-`.
pub fn on_hosts(stack: &Stack, component: &str) -> String {
    let name = format!("{}-{component}", stack.name);
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

/// A user's name, made short enough where it must be, still its own.
pub fn user(stack: &Stack, component: &str) -> String {
    let name = on_hosts(stack, component);
    if name.len() <= USER_NAME_LENGTH_MAX {
        return name;
    }
    format!("{}-{}", &name[..USER_NAME_LENGTH_MAX - 9], short_digest(&name))
}

/// A name for nftables: letters, digits and `_` (nft(8), "lexical conventions").
pub fn nftables(stack: &Stack, component: &str) -> String {
    on_hosts(stack, component).replace('-', "_")
}

/// A name of a HAProxy section or server: letters, digits, `-`, `_`, `.` and `:` (configuration manual, 2.2).
pub fn haproxy(name: &str) -> String {
    name.replace('@', "_")
}

/// The part of a resource's name that stands for a path: `etc-nginx-nginx.conf`; long ones end in a digest.
pub fn path_leaf(path: &str) -> String {
    let leaf = path.trim_matches('/').replace('/', "-");
    if leaf.len() <= LEAF_LENGTH_MAX {
        return leaf;
    }
    let mut end = LEAF_LENGTH_MAX - 9;
    while !leaf.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}-{}", &leaf[..end], short_digest(path))
}

/// Eight hexadecimal digits that stand for a longer text.
pub fn short_digest(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..8].to_owned()
}

/// A service without its `.service`: two spellings, one name.
pub fn service(name: &str) -> &str {
    name.strip_suffix(".service").unwrap_or(name)
}

/// Whole milliseconds, the unit of every time in inputs.
pub fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// A time as people write it in HAProxy's and systemd's files: `1h`, `30s`, `500ms`.
pub fn time(time: Duration) -> String {
    let millis = time.as_millis();
    match millis {
        0 => "0s".to_owned(),
        _ if millis.is_multiple_of(3_600_000) => format!("{}h", millis / 3_600_000),
        _ if millis.is_multiple_of(60_000) => format!("{}m", millis / 60_000),
        _ if millis.is_multiple_of(1_000) => format!("{}s", millis / 1_000),
        _ => format!("{millis}ms"),
    }
}

/// `10.0.0.1:80`, `[fd00::1]:80`.
pub fn endpoint(host: &Host, port: u16) -> String {
    if host.address.contains(':') {
        format!("[{}]:{port}", host.address)
    } else {
        format!("{}:{port}", host.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack() -> Stack {
        Stack { name: "Shop".into(), environment: "production".into() }
    }

    #[test]
    fn a_long_user_name_stays_its_own() {
        let long = user(&stack(), "a-group-with-a-very-long-name-one");
        assert_eq!(long.len(), USER_NAME_LENGTH_MAX);
        assert_ne!(long, user(&stack(), "a-group-with-a-very-long-name-two"));
        assert_eq!(user(&stack(), "web"), "shop-web");
    }

    #[test]
    fn a_long_path_stays_its_own() {
        let path = |end: &str| format!("/srv/{}/{end}", "ü".repeat(60));
        assert!(path_leaf(&path("a")).len() <= LEAF_LENGTH_MAX);
        assert_ne!(path_leaf(&path("a")), path_leaf(&path("b")));
        assert_eq!(path_leaf("/etc/nginx/nginx.conf"), "etc-nginx-nginx.conf");
    }

    #[test]
    fn times_read_as_people_write_them() {
        for (millis, text) in
            [(3_600_000, "1h"), (90_000, "90s"), (120_000, "2m"), (1_500, "1500ms"), (0, "0s")]
        {
            assert_eq!(time(Duration::from_millis(millis)), text);
        }
    }
}
