//! What moto can make and cannot delete.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use hyper::StatusCode;

use super::things::Thing;
use crate::call::{Answer, Call};
use crate::rule::{Fate, Rule};

/// moto answers the deletion of a cache subnet group with 500, for it knows none. Here it succeeds, and the group is listed
/// no more; who counts at moto itself leaves out those that are [`gone`](Ends::gone).
#[derive(Debug, Default)]
pub struct Ends(Mutex<BTreeSet<String>>);

impl Ends {
    /// The names of those that were deleted.
    pub fn gone(&self) -> BTreeSet<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Rule for Ends {
    async fn after(&self, call: &Call, answer: &mut Answer) -> Fate {
        let mut gone = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = || call.parameter("CacheSubnetGroupName").unwrap_or_default();
        match call.action.as_str() {
            "DeleteCacheSubnetGroup" if answer.status == StatusCode::INTERNAL_SERVER_ERROR => {
                gone.insert(name());
                *answer = Answer::new(StatusCode::OK, "<DeleteCacheSubnetGroupResponse/>");
            }
            "CreateCacheSubnetGroup" => {
                gone.remove(&name());
            }
            "DescribeCacheSubnetGroups" => {
                if let Some(thing) = Thing::listed(call) {
                    let all = thing.items(answer);
                    let left: Vec<_> = all.iter().filter(|(id, _)| !gone.contains(id)).cloned().collect();
                    if left.len() < all.len() {
                        thing.relist(call, answer, &left);
                    }
                }
            }
            _ => {}
        }
        Fate::Deliver
    }
}
