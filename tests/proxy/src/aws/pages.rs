//! Pagination: lists in pieces, with a token for the next.

use async_trait::async_trait;
use hyper::body::Bytes;

use super::things::{Thing, body};
use crate::call::{Answer, Call};
use crate::rule::{Fate, Rule, Verdict};

/// The parameter that takes the token's place on the way to moto, which ignores it.
const PAGE: &str = "StandfastPage";
const TOKEN: &str = "page-";

/// Lists of things come in pages of so many.
#[derive(Debug)]
pub struct Pages(usize);

impl Pages {
    /// So many to a page.
    pub fn of(items: usize) -> Self {
        Self(items.max(1))
    }
}

/// The parameter with a token, and the element that gives it. DescribeAddresses has none.
fn names(call: &Call) -> Option<(&'static str, &'static str)> {
    match call.service.as_str() {
        "ec2" if call.action != "DescribeAddresses" => Some(("NextToken", "nextToken")),
        "elasticloadbalancing" => Some(("Marker", "NextMarker")),
        "rds" | "elasticache" => Some(("Marker", "Marker")),
        _ => None,
    }
}

#[async_trait]
impl Rule for Pages {
    async fn before(&self, call: &mut Call) -> Verdict {
        if let Some((parameter, _)) = names(call)
            && call.parameter(parameter).is_some_and(|token| token.starts_with(TOKEN))
        {
            let form = String::from_utf8_lossy(&call.body);
            let other = form.replace(&format!("{parameter}={TOKEN}"), &format!("{PAGE}={TOKEN}"));
            call.body = Bytes::from(other);
        }
        Verdict::Pass
    }

    async fn after(&self, call: &Call, answer: &mut Answer) -> Fate {
        let (Some(thing), Some((_, element))) = (Thing::listed(call), names(call)) else {
            return Fate::Deliver;
        };
        let page = call.parameter(PAGE).and_then(|page| page.strip_prefix(TOKEN)?.parse::<usize>().ok());
        let page = page.unwrap_or(0);
        let all = thing.items(answer);
        if !answer.status.is_success() || all.len() <= self.0 {
            return Fate::Deliver;
        }
        let piece: Vec<_> = all.iter().skip(page * self.0).take(self.0).cloned().collect();
        thing.relist(call, answer, &piece);
        if (page + 1) * self.0 < all.len() {
            let text = body(answer);
            // Within the result, where the protocol has one.
            let end = format!("</{}Result>", call.action);
            let end = if text.contains(&end) { end } else { format!("</{}Response>", call.action) };
            let token = format!("<{element}>{TOKEN}{}</{element}>{end}", page + 1);
            answer.body = Bytes::from(text.replacen(&end, &token, 1));
        }
        Fate::Deliver
    }
}
