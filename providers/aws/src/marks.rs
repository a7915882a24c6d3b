//! The marks that everything made carries as tags: whose it is, its address, and the try that made it. By them it is
//! found again, without any state and after a lost answer.

use std::collections::BTreeMap;

use standfast_contract::{Address, Map, Stack, Value};

use crate::names;

/// Tags by key.
pub(crate) type Tags = BTreeMap<String, String>;

pub(crate) const STACK: &str = "standfast:stack";
pub(crate) const ENVIRONMENT: &str = "standfast:environment";
pub(crate) const ADDRESS: &str = "standfast:address";
/// Of the create that made it.
pub(crate) const TOKEN: &str = "standfast:token";
pub(crate) const NAME: &str = "Name";

/// Every tag of a new thing: the user's own, and over them the marks.
pub(crate) fn of_new(stack: &Stack, address: &Address, token: &str, inputs: &Map) -> Tags {
    let mut tags = of(stack, address, inputs);
    tags.insert(TOKEN.into(), token.into());
    tags
}

/// The same for something that is there: the token stays that of the create.
pub(crate) fn of(stack: &Stack, address: &Address, inputs: &Map) -> Tags {
    let mut tags = Tags::from([(NAME.to_owned(), names::label(stack, address))]);
    tags.extend(own(inputs));
    tags.insert(STACK.into(), stack.name.clone());
    tags.insert(ENVIRONMENT.into(), stack.environment.clone());
    tags.insert(ADDRESS.into(), address.to_string());
    tags
}

/// As far as a try is known whose tags did not follow.
pub(crate) fn of_try(stack: &Stack, token: &str) -> Tags {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    [pair(STACK, &stack.name), pair(ENVIRONMENT, &stack.environment), pair(TOKEN, token)].into()
}

/// The user's own tags among inputs.
pub(crate) fn own(inputs: &Map) -> Tags {
    let given = inputs.get("tags").and_then(Value::as_map);
    given.into_iter().flatten().map(|(key, value)| (key.clone(), value.to_string())).collect()
}

/// Whether a thing with these tags is of the stack.
pub(crate) fn is_of(tags: &Tags, stack: &Stack) -> bool {
    tags.get(STACK) == Some(&stack.name) && tags.get(ENVIRONMENT) == Some(&stack.environment)
}

/// The address in the marks.
pub(crate) fn address(tags: &Tags) -> Option<Address> {
    tags.get(ADDRESS)?.parse().ok()
}
