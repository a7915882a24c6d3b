//! Addresses: how a resource is named in plans, in the state, on hosts and in tags.
//!
//! `home/load_balancers.front/file.lb1.haproxy-cfg` reads: in region `home`, of component `front` of the section
//! `load_balancers`, the resource of kind `file` called `lb1.haproxy-cfg`.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// The sections of a blueprint that hold components.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    Networks,
    Baselines,
    LoadBalancers,
    AutoscalingGroups,
    Databases,
    SessionStores,
    Dns,
    Monitoring,
    DisasterRecovery,
}

impl Section {
    /// Every section, in the order in which a blueprint names them.
    pub const ALL: [Section; 9] = [
        Section::Networks,
        Section::Baselines,
        Section::LoadBalancers,
        Section::AutoscalingGroups,
        Section::Databases,
        Section::SessionStores,
        Section::Dns,
        Section::Monitoring,
        Section::DisasterRecovery,
    ];

    /// The word a blueprint uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Section::Networks => "networks",
            Section::Baselines => "baselines",
            Section::LoadBalancers => "load_balancers",
            Section::AutoscalingGroups => "autoscaling_groups",
            Section::Databases => "databases",
            Section::SessionStores => "session_stores",
            Section::Dns => "dns",
            Section::Monitoring => "monitoring",
            Section::DisasterRecovery => "disaster_recovery",
        }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Section {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Section::ALL.into_iter().find(|section| section.as_str() == text).ok_or_else(|| AddressError {
            text: text.to_owned(),
            reason: "no section of a blueprint has this name",
        })
    }
}

/// What the blueprint names: `load_balancers.front`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ComponentId {
    pub section: Section,
    pub name: String,
}

impl ComponentId {
    pub fn new(section: Section, name: impl Into<String>) -> Self {
        ComponentId { section, name: name.into() }
    }
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.section, self.name)
    }
}

impl FromStr for ComponentId {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (section, name) = text
            .split_once('.')
            .ok_or_else(|| AddressError { text: text.to_owned(), reason: "expected SECTION.NAME" })?;
        if !is_name(name) {
            return Err(AddressError { text: text.to_owned(), reason: NAME_RULE });
        }
        Ok(ComponentId { section: section.parse()?, name: name.to_owned() })
    }
}

text_serde!(ComponentId);

/// The name of one resource; never empty, cheap to clone.
///
/// Shape: `REGION/SECTION.NAME/KIND.NAME`. The last name may hold dots; a kind may not.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(Arc<str>);

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no address: {reason}")]
pub struct AddressError {
    pub text: String,
    pub reason: &'static str,
}

const NAME_RULE: &str =
    "a name holds letters, digits, `-`, `_`, `.` and `@`, and begins with a letter or digit";

/// Whether a text may name a component or a resource.
pub fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.len() <= 128
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@'))
}

impl Address {
    /// Puts an address together; every character that a name may not hold becomes `-`.
    pub fn new(region: &str, component: &ComponentId, kind: &str, name: &str) -> Self {
        let clean =
            |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@') { c } else { '-' };
        let name: String = name.trim_matches(|c| c == '/' || c == '.').chars().map(clean).collect();
        Address(format!("{region}/{component}/{kind}.{name}").into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn region(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// `SECTION.NAME`.
    pub fn component(&self) -> &str {
        self.0.split('/').nth(1).unwrap_or_default()
    }

    pub fn kind(&self) -> &str {
        self.leaf().split('.').next().unwrap_or_default()
    }

    /// The name behind the kind.
    pub fn name(&self) -> &str {
        self.leaf().split_once('.').map_or("", |(_, name)| name)
    }

    fn leaf(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// Whether a selector of `--target` and its kin names this resource: the whole address, `REGION`,
    /// `SECTION.NAME`, `REGION/SECTION.NAME`, or any of them followed by `*`.
    pub fn matches(&self, selector: &str) -> bool {
        if let Some(prefix) = selector.strip_suffix('*') {
            return self.0.starts_with(prefix) || self.component().starts_with(prefix);
        }
        let region_and_component = self.0.len() - self.leaf().len() - 1;
        selector == &*self.0
            || selector == self.region()
            || selector == self.component()
            || selector == &self.0[..region_and_component]
    }
}

impl FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let refuse = |reason| AddressError { text: text.to_owned(), reason };
        let mut parts = text.split('/');
        let (Some(region), Some(component), Some(leaf), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(refuse("expected REGION/SECTION.NAME/KIND.NAME"));
        };
        component.parse::<ComponentId>()?;
        let (kind, name) =
            leaf.split_once('.').ok_or_else(|| refuse("expected KIND.NAME as its last part"))?;
        if !is_name(region) || !is_name(kind) || !is_name(name) {
            return Err(refuse(NAME_RULE));
        }
        Ok(Address(text.into()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_serde!(Address);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_apart_again() {
        let address: Address = "home/load_balancers.front/file.lb1.haproxy.cfg".parse().unwrap();
        assert_eq!(address.region(), "home");
        assert_eq!(address.component(), "load_balancers.front");
        assert_eq!(address.kind(), "file");
        assert_eq!(address.name(), "lb1.haproxy.cfg");
    }

    #[test]
    fn what_is_put_together_parses() {
        let component = ComponentId::new(Section::Baselines, "hardening");
        let address = Address::new("home", &component, "file", "web1./etc/ssh/sshd config");
        assert_eq!(address.as_str(), "home/baselines.hardening/file.web1.-etc-ssh-sshd-config");
        assert_eq!(address.as_str().parse::<Address>().unwrap(), address);
    }

    #[test]
    fn selectors_name_a_resource_a_component_or_a_region() {
        let address: Address = "home/load_balancers.front/file.lb1.cfg".parse().unwrap();
        for selector in [
            "home",
            "load_balancers.front",
            "home/load_balancers.front",
            "home/load_balancers.front/file.lb1.cfg",
            "load_bal*",
        ] {
            assert!(address.matches(selector), "{selector}");
        }
        for selector in ["hom", "load_balancers", "load_balancers.fron", "web*"] {
            assert!(!address.matches(selector), "{selector}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "home",
            "home/x/y",
            "home/load_balancers.front/file",
            "a//b",
            "home/load_balancers.f/file.a/b",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
