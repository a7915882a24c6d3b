//! What somebody else built in a VPC, as a blueprint that leaves it as it is.
//!
//! Each component keeps by `lifecycle.ignore_changes` what a blueprint would say otherwise: subnets, security groups,
//! what machines run. So taking it over changes nothing, and each line that is taken away later is a change that a plan
//! shows. What carries the marks of a stack is that stack's and is left out. What no blueprint can say stands in a comment
//! beside its component, or at the end.
//!
//! A file each looks for one kind of component and writes it. Deliberately absent, and told at the end: machines of no group,
//! a listener's further certificates, serverless caches.

mod aurora;
mod balancer;
mod database;
mod group;
mod name;
mod store;
mod text;

use std::collections::BTreeSet;

use standfast_contract::{ProviderError, Region, Survey, Value};

use crate::{
    clients::Site,
    failure::{Failure, Trouble},
    look_up,
};
use text::{Names, Text};

/// Looks into a VPC.
pub(crate) async fn survey(site: &Site, region: &Region, vpc: &str) -> Result<Survey, ProviderError> {
    let what = format!("describe what is in {vpc} in {}", site.place.location);
    let told = |failure: Failure| failure.of(&what, false);
    let there = look_up::answer(site, look_up::VPC, vpc, &[]).await.map_err(told)?;
    let Some(there) = there.as_map() else {
        return Err(ProviderError::permanent(&what, "there is no such VPC")
            .hint("`aws ec2 describe-vpcs` lists those of the account and region."));
    };
    let subnets = there.values().filter_map(Value::as_list).flatten().filter_map(Value::as_map);
    let zones: BTreeSet<String> =
        subnets.filter_map(|subnet| Some(subnet.get("zone")?.as_str()?.to_owned())).collect();
    let zones: Vec<String> = zones.into_iter().collect();
    let mut text = Text::new(&region.name);
    text.line(format!("networks:\n  main: {{ existing: {vpc} }}"));
    components(site, vpc, &zones, &mut text).await.map_err(told)?;
    text.close();
    text.line("# Not looked at: machines of no group, further certificates of listeners, serverless caches, who else uses");
    text.line("# what is here.");
    Ok(Survey { zones, sections: text.sections, imports: text.imports })
}

async fn components(site: &Site, vpc: &str, zones: &[String], text: &mut Text) -> Result<(), Failure> {
    let balancers = balancer::look(site, vpc, text).await?;
    let groups = group::look(site, vpc, &balancers, text).await?;
    let written = balancer::write(text, &balancers, &groups);
    group::write(text, &groups, &written.served);
    let databases = databases(site, vpc, zones, text).await;
    unless_denied(text, "the databases", databases)?;
    let stores = store::survey(site, vpc, text).await;
    unless_denied(text, "the session stores", stores)?;
    let names = name::survey(site, &written, text).await;
    unless_denied(text, "the names", names)
}

async fn databases(site: &Site, vpc: &str, zones: &[String], text: &mut Text) -> Result<(), Failure> {
    let found = database::look(site, vpc, text).await?;
    let clusters = aurora::look(site, &found, text).await?;
    let mut names = Names::default();
    let is_begun = database::write(text, &found, zones, &mut names);
    aurora::write(text, clusters, zones, &mut names, is_begun);
    Ok(())
}

/// Who may not look at one service is told what of the others there is.
fn unless_denied(text: &mut Text, what: &str, looked: Result<(), Failure>) -> Result<(), Failure> {
    match looked {
        Err(failure) if failure.trouble == Trouble::Denied => {
            text.leave_out(format!("{what}, which may not be looked at ({})", failure.message));
            Ok(())
        }
        looked => looked,
    }
}
