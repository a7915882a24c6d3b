//! Which names there are, and which one was probably meant.

use indexmap::IndexMap;
use standfast_contract::Section;

use super::node::{Node, Span};

/// Every name that something can refer to, with its place. Taken from the tree before anything is checked, so that a
/// mistake inside a region does not make its hosts unknown.
#[derive(Debug, Default)]
pub struct Names {
    /// Hosts by region.
    pub regions: IndexMap<String, IndexMap<String, Span>>,
    pub components: IndexMap<Section, IndexMap<String, Span>>,
    pub secrets: IndexMap<String, Span>,
}

/// What the one component of a section without names is called: `${monitoring.main.url}`.
pub const ONLY: &str = "main";

/// Sections that are one component and not a map of them.
pub fn is_single(section: Section) -> bool {
    matches!(section, Section::Monitoring | Section::DisasterRecovery)
}

impl Names {
    pub fn of(root: &Node) -> Self {
        let mut names = Names { secrets: keys(root.get("secrets")), ..Names::default() };
        for (name, entry) in root.get("regions").and_then(Node::as_map).into_iter().flatten() {
            let zones = entry.value.get("zones").and_then(Node::as_map).into_iter().flatten();
            let hosts = zones.flat_map(|(_, zone)| keys(zone.value.get("hosts"))).collect();
            names.regions.insert(name.clone(), hosts);
        }
        for section in Section::ALL {
            let node = root.as_map().and_then(|entries| entries.get(section.as_str()));
            let found = match node {
                Some(entry) if is_single(section) => IndexMap::from([(ONLY.to_owned(), entry.key)]),
                Some(entry) => keys(Some(&entry.value)),
                None => IndexMap::new(),
            };
            names.components.insert(section, found);
        }
        names
    }

    pub fn has_component(&self, section: Section, name: &str) -> bool {
        self.components.get(&section).is_some_and(|names| names.contains_key(name))
    }

    pub fn components(&self, section: Section) -> impl Iterator<Item = &str> {
        self.components.get(&section).into_iter().flat_map(|names| names.keys().map(String::as_str))
    }

    pub fn hosts(&self, region: &str) -> impl Iterator<Item = &str> {
        self.regions.get(region).into_iter().flat_map(|hosts| hosts.keys().map(String::as_str))
    }
}

fn keys(node: Option<&Node>) -> IndexMap<String, Span> {
    let entries = node.and_then(Node::as_map).into_iter().flatten();
    entries.map(|(name, entry)| (name.clone(), entry.key)).collect()
}

/// So many names are compared with one that was written; a file with more is seldom written by hand.
const COMPARED_MAX: usize = 1_000;

/// The name that is nearest to what was written, if it is near enough to be a slip.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = written.chars().count();
    if length > 64 {
        return None;
    }
    let allowed = (length / 3).clamp(1, 4);
    let written = written.to_lowercase();
    known
        .into_iter()
        .take(COMPARED_MAX)
        .filter(|name| name.len().abs_diff(written.len()) <= allowed + 2)
        .map(|name| (strsim::osa_distance(&written, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// "did you mean `web`?", or else which names there are.
pub fn suggest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>, nouns: &str) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    if let Some(near) = nearest(written, known.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    match known.as_slice() {
        [] => Some(format!("there are no {nouns}")),
        [only] => Some(format!("the {nouns} are: {only}")),
        some if some.len() <= 12 => Some(format!("the {nouns} are: {}", some.join(", "))),
        many => Some(format!("the {nouns} are: {}, and {} more", many[..12].join(", "), many.len() - 12)),
    }
}

/// Names of regions, components, variables, secrets and environments: parts of addresses and references, so no dots.
pub fn is_plain_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.len() <= 48
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

pub const PLAIN_NAME_RULE: &str = "a letter, then letters, digits, `-` and `_`, 48 at most";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognized_and_another_word_is_not() {
        let known = ["capacity", "hosts", "port"];
        assert_eq!(nearest("capcity", known), Some("capacity"));
        assert_eq!(nearest("Host", known), Some("hosts"));
        assert_eq!(nearest("prot", known), Some("port"));
        assert_eq!(nearest("colour", known), None);
    }
}
