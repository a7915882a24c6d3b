//! Eventual consistency: an answer has the id of a new thing, and nobody else knows of it yet.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::things::{THINGS, Thing};
use super::{changes, refusal};
use crate::call::{Answer, Call};
use crate::rule::{Fate, Rule, Verdict};

/// Things of EC2 and Elastic Load Balancing are not listed at first, and then not known at first to what names them.
#[derive(Debug)]
pub struct Late {
    looks: u32,
    uses: u32,
    /// What is left of both, by id.
    young: Mutex<BTreeMap<String, (u32, u32)>>,
}

impl Late {
    /// Left out of so many lists that would show it; then unknown to so many changing calls that name it, but to one that
    /// deletes it.
    pub fn new(looks: u32, uses: u32) -> Self {
        Self { looks, uses, young: Mutex::default() }
    }
}

#[async_trait]
impl Rule for Late {
    async fn before(&self, call: &mut Call) -> Verdict {
        if !changes(call) || call.action.starts_with("Delete") {
            return Verdict::Pass;
        }
        let mut young = self.young.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, value) in call.parameters() {
            let Some((looks, uses)) = young.get_mut(&value) else { continue };
            if *looks > 0 || *uses > 0 {
                *uses = uses.saturating_sub(1);
                let thing =
                    THINGS.iter().find(|thing| name.to_lowercase().contains(&thing.id.to_lowercase()));
                let code = thing.map_or("InvalidID.NotFound", |thing| thing.not_found);
                return Verdict::Answer(refusal(call, code, &format!("'{value}' does not exist (yet)")));
            }
        }
        Verdict::Pass
    }

    async fn after(&self, call: &Call, answer: &mut Answer) -> Fate {
        let mut young = self.young.lock().unwrap_or_else(PoisonError::into_inner);
        if ["ec2", "elasticloadbalancing"].contains(&call.service.as_str())
            && let Some((_, id)) = Thing::made(call, answer)
        {
            young.insert(id, (self.looks, self.uses));
        }
        if let Some(thing) = Thing::listed(call) {
            let all = thing.items(answer);
            let mut shown = all.clone();
            shown.retain(|(id, _)| match young.get_mut(id) {
                Some((looks, _)) if *looks > 0 => {
                    *looks -= 1;
                    false
                }
                _ => true,
            });
            if shown.len() < all.len() {
                thing.relist(call, answer, &shown);
            }
        }
        Fate::Deliver
    }
}
