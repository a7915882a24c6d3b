//! A route table with its routes, and the subnets that use it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_ec2::types::{ResourceType, Route, RouteOrigin, RouteState};
use standfast_contract::{Kind, Map, Value};

use super::{
    ID, Job, Parts, Phase, Seen, Select, TAGS, Told, Works, ec2, fixed, list, look, map, may, text, texts,
};
use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
};

pub(super) struct RouteTable;

/// `routes`: each `{to: CIDR}` with `internet_gateway` or `nat_gateway`.
static KIND: Kind = Kind::new("route_table", &[ID, TAGS, fixed("vpc"), may("routes"), may("subnets")]);

const GATEWAY: &str = "internet_gateway";
const NAT: &str = "nat_gateway";

#[async_trait]
impl Works for RouteTable {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
        Ok(self.look_around(site, select).await?.0)
    }

    async fn look_around(&self, site: &Site, select: Select<'_>) -> Result<(Vec<Seen>, Vec<Told>), Failure> {
        let filters = ec2::filters(select, "route-table-id");
        let call = site.look.ec2.describe_route_tables().set_filters(Some(filters));
        let tables: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
        let tables = tables.map_err(failed("ec2:DescribeRouteTables"))?;
        let seen = tables.iter().map(|table| {
            let used: Parts = table
                .associations()
                .iter()
                .filter_map(|one| {
                    Some((one.subnet_id()?.to_owned(), one.route_table_association_id()?.to_owned()))
                })
                .collect();
            Seen {
                id: table.route_table_id().unwrap_or_default().to_owned(),
                phase: Phase::Ready,
                tags: ec2::tags_of(table.tags()),
                attributes: map([
                    ("vpc", text(table.vpc_id())),
                    ("routes", list(table.routes().iter().filter_map(route))),
                    ("subnets", list(used.keys().map(String::as_str))),
                ]),
                outputs: map([("id", text(table.route_table_id()))]),
                parts: used,
            }
        });
        let routes = tables.iter().flat_map(|table| table.routes().iter().map(move |route| (table, route)));
        let told = routes.filter_map(|(table, route)| {
            let id = route.gateway_id().filter(|id| id.starts_with("igw-"))?;
            (route.state() == Some(&RouteState::Active)).then(|| Told {
                kind: "internet_gateway",
                id: id.to_owned(),
                attributes: map([("vpc", text(table.vpc_id()))]),
            })
        });
        Ok((seen.collect(), told.collect()))
    }

    async fn make(&self, job: &Job<'_>) -> Result<String, Failure> {
        let call = job
            .site
            .change
            .ec2
            .create_route_table()
            .client_token(&job.call.token)
            .vpc_id(job.text("vpc")?)
            .tag_specifications(ec2::with_tags(ResourceType::RouteTable, &job.tags()));
        let made = call.send().await.map_err(failed("ec2:CreateRouteTable"))?;
        made.route_table
            .and_then(|table| table.route_table_id)
            .ok_or_else(|| Failure::lost("ec2:CreateRouteTable"))
    }

    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
        fit_routes(job, seen).await?;
        let ec2 = &job.site.change.ec2;
        let wanted = job.texts("subnets");
        for (_, association) in seen.parts.iter().filter(|(subnet, _)| !wanted.contains(subnet.as_str())) {
            let call = ec2.disassociate_route_table().association_id(association);
            call.send().await.map_err(failed("ec2:DisassociateRouteTable"))?;
        }
        for subnet in wanted.difference(&texts(&seen.attributes, "subnets")) {
            let call = ec2.associate_route_table().route_table_id(&seen.id).subnet_id(*subnet);
            call.send().await.map_err(failed("ec2:AssociateRouteTable"))?;
        }
        Ok(())
    }

    async fn remove(&self, site: &Site, id: &str, _: &Map) -> Result<(), Failure> {
        let ec2 = &site.change.ec2;
        for seen in look(self, site, Select::Ids(&[id])).await? {
            for association in seen.parts.values() {
                let call = ec2.disassociate_route_table().association_id(association);
                match call.send().await.map_err(failed("ec2:DisassociateRouteTable")) {
                    Err(failure) if failure.trouble == Trouble::NotFound => {}
                    other => drop(other?),
                }
            }
        }
        let call = ec2.delete_route_table().route_table_id(id);
        call.send().await.map_err(failed("ec2:DeleteRouteTable"))?;
        Ok(())
    }
}

/// The VPC's own route and those of gateway endpoints come and go by themselves.
fn route(route: &Route) -> Option<Map> {
    if route.origin() == Some(&RouteOrigin::CreateRouteTable) || route.gateway_id() == Some("local") {
        return None;
    }
    let to = route.destination_cidr_block()?;
    let others =
        [route.vpc_peering_connection_id(), route.transit_gateway_id(), route.network_interface_id()];
    Some(map([
        ("to", to.into()),
        (GATEWAY, text(route.gateway_id())),
        (NAT, text(route.nat_gateway_id())),
        // Something else put there by hand: shown, so that it differs.
        ("other", text(others.into_iter().flatten().next())),
    ]))
}

async fn fit_routes(job: &Job<'_>, seen: &Seen) -> Result<(), Failure> {
    let ec2 = &job.site.change.ec2;
    let wanted = by_target(job.find("routes"));
    let have = by_target(seen.attributes.get("routes"));
    for to in have.keys().filter(|to| !wanted.contains_key(*to)) {
        let call = ec2.delete_route().route_table_id(&seen.id).destination_cidr_block(*to);
        call.send().await.map_err(failed("ec2:DeleteRoute"))?;
    }
    for (&to, route) in wanted.iter().filter(|(to, route)| have.get(*to) != Some(*route)) {
        let through = |key: &str| route.get(key).and_then(Value::as_str).map(str::to_owned);
        let (gateway, nat) = (through(GATEWAY), through(NAT));
        if have.contains_key(to) {
            let call = ec2
                .replace_route()
                .route_table_id(&seen.id)
                .destination_cidr_block(to)
                .set_gateway_id(gateway)
                .set_nat_gateway_id(nat);
            call.send().await.map_err(failed("ec2:ReplaceRoute"))?;
        } else {
            let call = ec2
                .create_route()
                .route_table_id(&seen.id)
                .destination_cidr_block(to)
                .set_gateway_id(gateway)
                .set_nat_gateway_id(nat);
            call.send().await.map_err(failed("ec2:CreateRoute"))?;
        }
    }
    Ok(())
}

fn by_target(routes: Option<&Value>) -> BTreeMap<&str, &Map> {
    let routes = routes.and_then(Value::as_list).unwrap_or_default();
    let maps = routes.iter().filter_map(Value::as_map);
    maps.filter_map(|route| Some((route.get("to")?.as_str()?, route))).collect()
}
