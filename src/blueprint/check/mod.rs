//! The rules that the table of keys cannot tell, and the making of the typed components: one file a section.
//!
//! A function here returns `None` where something needed is missing or wrong, and that has been reported.

mod addresses;
mod alarms;
mod baseline;
mod common;
mod conflicts;
mod cron;
mod data;
mod domain;
mod files;
mod group;
mod history;
mod load_balancer;
mod objectives;
mod reach;
mod region;
mod secret;
mod surroundings;
mod window;
mod zone;

use standfast_contract::{Component, Section};

use super::reader::Reader;

pub use conflicts::{Placed, conflicts};
pub use history::{Moved, moved, removed};
pub use objectives::{Objective, Objectives, objectives};
pub use reach::reach;
pub use region::region;
pub use secret::secrets;

/// One component of a section.
pub fn component(
    section: Section,
    name: &str,
    reader: Reader<'_>,
    regions: &[standfast_contract::Region],
) -> Option<Component> {
    // The region first: most other names are looked for in it.
    let common = common::common(section, name, &reader, regions);
    let scope = common::Scope::new(common.as_ref(), regions);
    match section {
        Section::Networks => data::network(&reader, common, scope).map(Component::Network),
        Section::Baselines => baseline::baseline(&reader, common, scope).map(Component::Baseline),
        Section::LoadBalancers => {
            load_balancer::load_balancer(&reader, common, scope).map(Component::LoadBalancer)
        }
        Section::AutoscalingGroups => group::group(&reader, common, scope).map(Component::AutoscalingGroup),
        Section::Databases => data::database(&reader, common, scope).map(Component::Database),
        Section::SessionStores => data::session_store(&reader, common, scope).map(Component::SessionStore),
        Section::Dns => surroundings::dns(&reader, common).map(Component::Dns),
        Section::Monitoring => surroundings::monitoring(&reader, common, scope).map(Component::Monitoring),
        Section::DisasterRecovery => surroundings::recovery(&reader, common).map(Component::DisasterRecovery),
    }
}
