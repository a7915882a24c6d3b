//! A security group with all of its rules: one that nobody asked for is taken away.

use async_trait::async_trait;
use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, ResourceType, UserIdGroupPair};
use standfast_contract::{Kind, Map, Value};

use super::{ID, Job, Parts, Phase, Seen, Select, TAGS, Works, ec2, fixed, list, map, may, same, text};
use crate::{
    clients::Site,
    failure::{Failure, failed},
};

pub(super) struct SecurityGroup;

/// Rules: each `{protocol, port}` with `cidr` or `group`. Protocol `all` has no port; a span of ports is a text.
static KIND: Kind = Kind {
    create_before_destroy: true,
    ..Kind::new(
        "security_group",
        &[
            ID,
            TAGS,
            fixed("vpc"),
            fixed("name").kept().unique(),
            fixed("description").kept(),
            may("ingress"),
            may("egress"),
        ],
    )
};

const INGRESS: &str = "ingress";
const EGRESS: &str = "egress";

#[async_trait]
impl Works for SecurityGroup {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        let call =
            site.look.ec2.describe_security_groups().set_filters(Some(ec2::filters(select, "group-id")));
        let groups: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
        let groups = groups.map_err(failed("ec2:DescribeSecurityGroups"))?;
        let seen = groups.iter().map(|group| Seen {
            id: group.group_id().unwrap_or_default().to_owned(),
            phase: Phase::Ready,
            tags: ec2::tags_of(group.tags()),
            attributes: map([
                ("vpc", text(group.vpc_id())),
                ("name", text(group.group_name())),
                ("description", text(group.description())),
                (INGRESS, list(group.ip_permissions().iter().flat_map(rules))),
                (EGRESS, list(group.ip_permissions_egress().iter().flat_map(rules))),
            ]),
            outputs: map([("id", text(group.group_id()))]),
            parts: Parts::new(),
        });
        Ok(seen.collect())
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let call = job
            .site
            .change
            .ec2
            .create_security_group()
            .vpc_id(job.text("vpc")?)
            .group_name(job.text("name")?)
            .description(job.text("description")?)
            .tag_specifications(ec2::with_tags(ResourceType::SecurityGroup, &job.tags()));
        let made = call.send().await.map_err(failed("ec2:CreateSecurityGroup"))?;
        made.group_id.ok_or_else(|| Failure::lost("ec2:CreateSecurityGroup"))
    }

    /// What is missing first, so that nothing is cut off that may go on.
    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        let ec2 = &job.site.change.ec2;
        let change = |key| missing(job.call.inputs.get(key), seen.attributes.get(key));
        let surplus = |key| missing(seen.attributes.get(key), job.call.inputs.get(key));
        if let Some(added) = change(INGRESS)? {
            let call =
                ec2.authorize_security_group_ingress().group_id(&seen.id).set_ip_permissions(Some(added));
            call.send().await.map_err(failed("ec2:AuthorizeSecurityGroupIngress"))?;
        }
        if let Some(added) = change(EGRESS)? {
            let call =
                ec2.authorize_security_group_egress().group_id(&seen.id).set_ip_permissions(Some(added));
            call.send().await.map_err(failed("ec2:AuthorizeSecurityGroupEgress"))?;
        }
        if let Some(gone) = surplus(INGRESS)? {
            let call = ec2.revoke_security_group_ingress().group_id(&seen.id).set_ip_permissions(Some(gone));
            call.send().await.map_err(failed("ec2:RevokeSecurityGroupIngress"))?;
        }
        if let Some(gone) = surplus(EGRESS)? {
            let call = ec2.revoke_security_group_egress().group_id(&seen.id).set_ip_permissions(Some(gone));
            call.send().await.map_err(failed("ec2:RevokeSecurityGroupEgress"))?;
        }
        Ok(())
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let call = site.change.ec2.delete_security_group().group_id(id);
        call.send().await.map_err(failed("ec2:DeleteSecurityGroup"))?;
        Ok(())
    }
}

/// EC2 gathers sources under one permission; a rule here has one.
fn rules(permission: &IpPermission) -> Vec<Map> {
    let protocol = match permission.ip_protocol() {
        Some("-1") | None => "all",
        Some(protocol) => protocol,
    };
    let port = match (permission.from_port(), permission.to_port()) {
        _ if protocol == "all" => Value::Null,
        (Some(from), Some(to)) if from == to => Value::Int(from.into()),
        (Some(from), Some(to)) => Value::Text(format!("{from}-{to}")),
        _ => Value::Null,
    };
    let rule = |key: &str, source: Option<&str>| {
        map([("protocol", protocol.into()), ("port", port.clone()), (key, text(source))])
    };
    let ranges = permission.ip_ranges().iter().map(|range| rule("cidr", range.cidr_ip()));
    let ranges6 = permission.ipv6_ranges().iter().map(|range| rule("cidr", range.cidr_ipv6()));
    let groups = permission.user_id_group_pairs().iter().map(|pair| rule("group", pair.group_id()));
    let lists = permission.prefix_list_ids().iter().map(|list| rule("prefix_list", list.prefix_list_id()));
    ranges.chain(ranges6).chain(groups).chain(lists).collect()
}

/// The rules of the first list that the second has not.
fn missing(of: Option<&Value>, among: Option<&Value>) -> Result<Option<Vec<IpPermission>>, Failure> {
    let items = |value: Option<&Value>| value.and_then(Value::as_list).unwrap_or_default().to_vec();
    let among = items(among);
    let missing: Result<Vec<IpPermission>, Failure> = items(of)
        .iter()
        .filter(|rule| !among.iter().any(|other| same(rule, other)))
        .map(|rule| {
            rule.as_map()
                .and_then(permission)
                .ok_or_else(|| Failure::refused("", format!("`{rule}` is no rule of a security group")))
        })
        .collect();
    Ok(Some(missing?).filter(|missing| !missing.is_empty()))
}

fn permission(rule: &Map) -> Option<IpPermission> {
    let of = |key: &str| rule.get(key).and_then(Value::as_str);
    let protocol = of("protocol")?;
    let (from, to) = match rule.get("port") {
        Some(Value::Text(span)) => {
            let (from, to) = span.split_once('-')?;
            (Some(from.parse().ok()?), Some(to.parse().ok()?))
        }
        Some(Value::Int(port)) => (i32::try_from(*port).ok(), i32::try_from(*port).ok()),
        _ => (None, None),
    };
    let permission = IpPermission::builder()
        .ip_protocol(if protocol == "all" { "-1" } else { protocol })
        .set_from_port(from)
        .set_to_port(to);
    let permission = match (of("cidr"), of("group"), of("prefix_list")) {
        (Some(cidr), ..) if cidr.contains(':') => {
            permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(cidr).build())
        }
        (Some(cidr), ..) => permission.ip_ranges(IpRange::builder().cidr_ip(cidr).build()),
        (_, Some(group), _) => {
            permission.user_id_group_pairs(UserIdGroupPair::builder().group_id(group).build())
        }
        (.., Some(list)) => permission
            .prefix_list_ids(aws_sdk_ec2::types::PrefixListId::builder().prefix_list_id(list).build()),
        _ => return None,
    };
    Some(permission.build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_go_to_ec2_and_come_back_as_they_were() {
        for rule in [
            map([("protocol", "tcp".into()), ("port", 443_i64.into()), ("cidr", "0.0.0.0/0".into())]),
            map([("protocol", "tcp".into()), ("port", 443_i64.into()), ("cidr", "::/0".into())]),
            map([("protocol", "tcp".into()), ("port", "80-90".into()), ("group", "sg-1".into())]),
            map([("protocol", "all".into()), ("cidr", "10.0.0.0/8".into())]),
            map([("protocol", "udp".into()), ("port", 53_i64.into()), ("prefix_list", "pl-1".into())]),
        ] {
            assert_eq!(rules(&permission(&rule).unwrap()), vec![rule]);
        }
    }
}
