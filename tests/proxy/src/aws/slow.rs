//! States that take their time.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::things::{States, Thing};
use super::xml;
use crate::call::{Answer, Call};
use crate::rule::{Fate, Rule};

/// What was made is pending when it is looked at, what was deleted is deleting, each so many times. moto never ends the
/// deleting of a replication group: here it ends.
#[derive(Debug)]
pub struct Slow {
    looks: u32,
    lives: Mutex<Lives>,
}

/// By id, how often each is yet to be shown so; and how each was seen last.
#[derive(Debug, Default)]
struct Lives {
    coming: BTreeMap<String, u32>,
    going: BTreeMap<String, u32>,
    seen: BTreeMap<String, String>,
}

impl Slow {
    /// Pending for so many looks at it.
    pub fn new(looks: u32) -> Self {
        Self { looks, lives: Mutex::default() }
    }
}

#[async_trait]
impl Rule for Slow {
    async fn after(&self, call: &Call, answer: &mut Answer) -> Fate {
        let mut lives = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((thing, id)) = Thing::made(call, answer)
            && thing.states.is_some()
        {
            lives.going.remove(&id);
            lives.seen.remove(&id);
            lives.coming.insert(id.clone(), self.looks);
        }
        if let Some((thing, id)) = Thing::deleted(call, answer)
            && thing.states.as_ref().is_some_and(|states| states.going.is_some())
        {
            lives.coming.remove(&id);
            lives.going.insert(id, self.looks);
        }
        if let Some(thing) = Thing::listed(call)
            && let Some(states) = &thing.states
        {
            lives.rewrite(thing, states, call, answer);
        }
        Fate::Deliver
    }
}

impl Lives {
    fn rewrite(&mut self, thing: &Thing, states: &States, call: &Call, answer: &mut Answer) {
        let listed = if answer.status.is_success() { thing.items(answer) } else { Vec::new() };
        let mut shown: Vec<(String, String)> = Vec::new();
        for (id, item) in listed.clone() {
            if let Some(item) = self.show(states, &id, item) {
                shown.push((id, item));
            }
        }
        // What moto has forgotten is shown as it was seen last, to whoever asks for it.
        let asked: Vec<String> = call.parameters().into_iter().map(|(_, value)| value).collect();
        for id in self.going.keys().cloned().collect::<Vec<_>>() {
            let is_new = asked.contains(&id) && listed.iter().all(|(other, _)| *other != id);
            if is_new
                && let Some(item) = self.seen.get(&id).cloned()
                && let Some(item) = self.show(states, &id, item)
            {
                shown.push((id, item));
            }
        }
        if shown != listed {
            thing.relist(call, answer, &shown);
        }
    }

    /// As it is to be shown now; nothing when it is gone.
    fn show(&mut self, states: &States, id: &str, item: String) -> Option<String> {
        let state = xml::text(&item, states.element).unwrap_or_default();
        if let Some(left) = self.going.get_mut(id) {
            let going = states.going.unwrap_or_default();
            if *left > 0 {
                *left -= 1;
                return Some(xml::with_text(&item, states.element, going));
            }
            // As it was seen last, or as moto leaves it for good; `deleted` is a state too.
            return Some(item.clone()).filter(|_| state != going && state != states.ready);
        }
        if let Some(left) = self.coming.get_mut(id).filter(|left| **left > 0)
            && state == states.ready
        {
            *left -= 1;
            self.seen.insert(id.to_owned(), item.clone());
            return Some(xml::with_text(&item, states.element, states.coming));
        }
        self.seen.insert(id.to_owned(), item.clone());
        Some(item)
    }
}
