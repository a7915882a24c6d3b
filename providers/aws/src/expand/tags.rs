//! The tags that a blueprint gives: the region's, and over them the component's own.

use standfast_contract::{Component, ExpandRequest, Map};

use super::Build;
use crate::marks::NAME;

/// What AWS takes, less those that every thing of ours carries.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions>
const TAGS_MAX: usize = 50 - 5;
const KEY_MAX: usize = 128;
const VALUE_MAX: usize = 256;

pub(super) fn of(request: &ExpandRequest<'_>) -> Map {
    let mut tags = request.region.tags.clone();
    tags.extend(request.component.common().tags.clone());
    tags
}

/// What all services take: some take more.
pub(super) fn check(build: &mut Build<'_>, is_first_of_region: bool) {
    let own = &build.request.component.common().tags;
    let mut tags = of(build.request);
    if !is_first_of_region {
        tags.retain(|name, _| own.contains_key(name));
    }
    let key_of =
        |name: &str| if own.contains_key(name) { format!("tags.{name}") } else { "region".to_owned() };
    let count = of(build.request).len();
    if count > TAGS_MAX {
        build.problem(
            if own.is_empty() { "region" } else { "tags" },
            format!("there are {count} tags, and AWS takes {TAGS_MAX} beside those of standfast"),
            "",
        );
    }
    if matches!(build.request.component, Component::AutoscalingGroup(_)) {
        check_case(build);
    }
    let is_good = |text: &str| text.chars().all(|c| c.is_alphanumeric() || " +-=._:/@".contains(c));
    for (name, value) in &tags {
        let value = value.to_string();
        let lower = name.to_ascii_lowercase();
        let wrong = if let Some(prefix) = ["aws:", "standfast:"].into_iter().find(|it| lower.starts_with(it))
        {
            format!("the tag `{name}` begins with `{prefix}`, which is reserved")
        } else if name.chars().count() > KEY_MAX {
            format!("the tag `{name}` is longer than {KEY_MAX} characters")
        } else if value.chars().count() > VALUE_MAX {
            format!("the value of the tag `{name}` is longer than {VALUE_MAX} characters")
        } else if !is_good(name) || !is_good(&value) {
            format!("the tag `{name}` has other characters than letters, digits, spaces and `+-=._:/@`")
        } else {
            continue;
        };
        build.problem(key_of(name), wrong, "AWS would refuse it in the middle of an apply.");
    }
}

/// To IAM, which keeps the role of a group's machines, `Env` and `env` are one tag.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html>
fn check_case(build: &mut Build<'_>) {
    let mut names: Vec<String> = of(build.request).into_keys().collect();
    // Which every thing of ours has.
    if !names.iter().any(|name| name == NAME) {
        names.push(NAME.to_owned());
    }
    names.sort_by_key(|name| (name.to_lowercase(), name.clone()));
    for pair in names.windows(2) {
        if let [one, other] = pair
            && one.to_lowercase() == other.to_lowercase()
        {
            build.problem(
                "tags",
                format!("the tags `{one}` and `{other}` differ by case only, which AWS does not tell apart for roles"),
                "Keep one of them.",
            );
        }
    }
}
