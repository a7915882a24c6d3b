//! Questions that expansion asks of a region: its zones, what an image's name stands for, what is in a VPC.

use aws_sdk_ec2::types::{VpcCidrBlockAssociation, VpcCidrBlockStateCode};
use standfast_contract::{Map, Standing, Value};

use crate::{
    clients::Site,
    failure::{Failure, Trouble, failed},
    kinds::{list, map, text},
};

/// The zones of the region, by name.
pub(crate) const ZONES: &str = "zones";
/// An image by its id or by an SSM parameter's name: `{id, root_device, root_gib}`, null where there is none.
pub(crate) const IMAGE: &str = "image";
/// Where an image says nothing of its disk.
const ROOT_GIB: i32 = 8;
/// How the names of the parameters begin that AWS itself keeps.
const OF_AWS: &str = "/aws/service/";
/// What is in a VPC: `{cidr, cidrs, public, private, database}`, the last three lists of `{id, zone}`.
pub(crate) const VPC: &str = "vpc";

/// A hosted zone by its id: `{name, private, name_servers}`, null where there is none.
pub(crate) const ZONE: &str = "zone";

pub(crate) async fn answer(
    site: &Site,
    question: &str,
    subject: &str,
    standing: &[Standing<'_>],
) -> Result<Value, Failure> {
    match question {
        ZONES => zones(site).await,
        IMAGE => image(site, subject, standing).await,
        VPC => vpc(site, subject).await,
        ZONE => zone(site, subject).await,
        _ => Err(Failure::refused("", format!("nobody knows what `{question}` asks"))),
    }
}

async fn zones(site: &Site) -> Result<Value, Failure> {
    let call = site.look.ec2.describe_availability_zones();
    let answer = call.send().await.map_err(failed("ec2:DescribeAvailabilityZones"))?;
    // Local zones and Wavelength zones are listed too where they are switched on.
    let plain = answer
        .availability_zones()
        .iter()
        .filter(|zone| zone.zone_type().is_none_or(|kind| kind == "availability-zone"));
    Ok(list(plain.filter_map(|zone| zone.zone_name())))
}

/// By id, or by the name of the SSM parameter that holds one. An image never changes, and those that AWS's own parameters
/// name are there: what a template that stands knows of such a one is true. Anybody else's may have been taken away.
async fn image(site: &Site, name: &str, standing: &[Standing<'_>]) -> Result<Value, Failure> {
    let id = if name.starts_with("ami-") { Some(name.to_owned()) } else { parameter(site, name).await? };
    let Some(id) = id else { return Ok(Value::Null) };
    let known = standing.iter().find_map(|one| image_of(one, &id));
    if let Some(image) = known.filter(|_| name.starts_with(OF_AWS)) {
        return Ok(image);
    }
    // A filter finds nothing where a list of ids would fail. Others' images are deprecated after two years at most, and
    // machines start from them all the same.
    let filter = aws_sdk_ec2::types::Filter::builder().name("image-id").values(&id).build();
    let call = site.look.ec2.describe_images().include_deprecated(true).filters(filter);
    let answer = call.send().await.map_err(failed("ec2:DescribeImages"))?;
    let Some(image) = answer.images().first() else { return Ok(Value::Null) };
    let device = image.root_device_name().unwrap_or("/dev/xvda");
    let root = image.block_device_mappings().iter().find(|disk| disk.device_name() == Some(device));
    let size = root.and_then(|disk| disk.ebs()).and_then(|ebs| ebs.volume_size()).unwrap_or(ROOT_GIB);
    Ok(Value::Map(map([
        ("id", id.as_str().into()),
        ("root_device", device.into()),
        ("root_gib", Value::Int(size.into())),
    ])))
}

/// What a template knows of its image.
fn image_of(one: &Standing<'_>, id: &str) -> Option<Value> {
    let inputs = Some(one.inputs).filter(|_| one.kind == "launch_template")?;
    let of = |key: &str| inputs.get(key).cloned();
    let (device, size) = (of("root_device")?, of("root_gib")?);
    (inputs.get("image")?.as_str() == Some(id))
        .then(|| map([("id", id.into()), ("root_device", device), ("root_gib", size)]).into())
}

async fn parameter(site: &Site, name: &str) -> Result<Option<String>, Failure> {
    let call = site.look.ssm.get_parameter().name(name);
    match call.send().await.map_err(failed("ssm:GetParameter")) {
        Ok(answer) => Ok(answer.parameter.and_then(|parameter| parameter.value)),
        Err(failure) if failure.trouble == Trouble::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

async fn zone(site: &Site, id: &str) -> Result<Value, Failure> {
    let call = site.look.route53.get_hosted_zone().id(id);
    let answer = match call.send().await.map_err(failed("route53:GetHostedZone")) {
        Ok(answer) => answer,
        Err(failure) if failure.trouble == Trouble::NotFound => return Ok(Value::Null),
        Err(failure) => return Err(failure),
    };
    let Some(zone) = answer.hosted_zone() else { return Ok(Value::Null) };
    let servers = answer.delegation_set().map(|set| set.name_servers()).unwrap_or_default();
    Ok(Value::Map(map([
        ("name", text(Some(zone.name().trim_end_matches('.')))),
        ("private", zone.config().is_some_and(|config| config.private_zone()).into()),
        ("name_servers", list(servers.iter().map(String::as_str))),
    ])))
}

/// A subnet is public where its route table leads to an internet gateway, private where it leads out by something
/// else, and of the database where it leads nowhere.
async fn vpc(site: &Site, id: &str) -> Result<Value, Failure> {
    let ec2 = &site.look.ec2;
    let filter = || aws_sdk_ec2::types::Filter::builder().name("vpc-id").values(id).build();
    let vpcs = ec2.describe_vpcs().filters(filter()).send().await.map_err(failed("ec2:DescribeVpcs"))?;
    let Some(vpc) = vpcs.vpcs().first() else { return Ok(Value::Null) };
    let subnets: Result<Vec<_>, _> =
        ec2.describe_subnets().filters(filter()).into_paginator().items().send().collect().await;
    let tables: Result<Vec<_>, _> =
        ec2.describe_route_tables().filters(filter()).into_paginator().items().send().collect().await;
    let tables = tables.map_err(failed("ec2:DescribeRouteTables"))?;
    let main = tables.iter().find(|table| table.associations().iter().any(|one| one.main() == Some(true)));
    let mut tiers: [Vec<Map>; 3] = Default::default();
    for subnet in subnets.map_err(failed("ec2:DescribeSubnets"))? {
        let own = tables
            .iter()
            .find(|table| table.associations().iter().any(|one| one.subnet_id() == subnet.subnet_id()));
        let routes = own.or(main).map(|table| table.routes()).unwrap_or_default();
        let out = routes.iter().find(|route| route.destination_cidr_block() == Some("0.0.0.0/0"));
        let tier = match out {
            Some(route) if route.gateway_id().is_some_and(|gateway| gateway.starts_with("igw-")) => 0,
            Some(_) => 1,
            None => 2,
        };
        tiers[tier].push(map([("id", text(subnet.subnet_id())), ("zone", text(subnet.availability_zone()))]));
    }
    let [public, private, database] = tiers;
    let cidrs = vpc.cidr_block_association_set().iter().filter(|one| is_associated(one));
    let cidrs = list(cidrs.filter_map(|one| one.cidr_block()));
    Ok(Value::Map(map([
        ("cidr", text(vpc.cidr_block())),
        ("cidrs", cidrs),
        ("public", list(public)),
        ("private", list(private)),
        ("database", list(database)),
    ])))
}

fn is_associated(range: &VpcCidrBlockAssociation) -> bool {
    let state = range.cidr_block_state().and_then(|state| state.state());
    state.is_none_or(|state| *state == VpcCidrBlockStateCode::Associated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::{Answer, site_that};

    /// Every image of somebody else is after two years, and groups made from it go on.
    #[tokio::test]
    async fn an_image_that_is_deprecated_is_still_there() {
        let (site, _) = site_that(|asked| {
            Some(match asked.line.contains("IncludeDeprecated=true") {
                false => Answer::Empty,
                true => Answer::ok(
                    "<DescribeImagesResponse><imagesSet><item><imageId>ami-1</imageId><rootDeviceName>/dev/xvda</rootDeviceName>\
                     </item></imagesSet></DescribeImagesResponse>",
                ),
            })
        });
        let found = answer(&site, IMAGE, "ami-1", &[]).await.unwrap();
        assert_eq!(found.as_map().unwrap()["root_device"], "/dev/xvda".into());
    }
}
