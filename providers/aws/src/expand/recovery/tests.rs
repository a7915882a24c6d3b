use insta::assert_snapshot;
use standfast_contract::{
    Answers, Component, ExpandRequest, Expansion, Lookup, Problem, Region, Stack,
    component::{Common, DatabaseEngine, DisasterRecovery, Failover, Nat, Network, RecoveryStrategy},
};

use crate::{
    expand::{
        database::tests::{database, group},
        expand, lookups,
        tests::{common, problems, region, shown},
    },
    look_up::ZONES,
};
use standfast_contract::{ComponentId, Map, OutputRef, Section};

fn regions() -> [Region; 2] {
    let refuge = Region { name: "haven".into(), location: Some("eu-central-1".into()), ..region() };
    [region(), refuge]
}

fn of_haven(name: &str) -> Common {
    Common { region: "haven".into(), ..common(name) }
}

/// The disaster recovery first.
fn components(strategy: RecoveryStrategy) -> Vec<Component> {
    let recovery =
        DisasterRecovery { common: common("main"), from: "refuge".into(), into: "haven".into(), strategy };
    let network = |common: Common| Network { common, cidr: None, nat: Nat::None, existing: None };
    vec![
        Component::DisasterRecovery(recovery),
        Component::Network(network(common("main"))),
        Component::Network(network(of_haven("there"))),
        Component::Database(database()),
    ]
}

fn expanded(
    regions: &[Region],
    components: &[Component],
    answers: &Answers,
) -> Result<Expansion, Vec<Problem>> {
    let stack = Stack { name: "shop".into(), environment: "default".into() };
    let request =
        ExpandRequest { stack: &stack, region: &regions[0], component: &components[0], components, regions };
    expand(&request, answers)
}

#[test]
fn a_standby_region_has_a_copy_that_its_own_groups_reach() {
    let mut components = components(RecoveryStrategy::WarmStandby);
    let id = ComponentId::new(Section::DisasterRecovery, "main");
    let reads = |output: &str| Map::from([("DB".into(), OutputRef::component(id.clone(), output))]);
    for (name, output, of) in
        [("web", "orders", "haven"), ("other", "stock", "haven"), ("home", "orders", "refuge")]
    {
        let Component::AutoscalingGroup(mut it) = group(name, reads(output), vec![]) else { unreachable!() };
        it.common.region = of.into();
        components.push(Component::AutoscalingGroup(it));
    }
    assert_snapshot!(shown(&expanded(&regions(), &components, &Answers::default()).unwrap()));
}

#[test]
fn backups_need_no_network_and_a_pilot_light_no_standby() {
    let mut components_of = components(RecoveryStrategy::BackupRestore);
    components_of.retain(|one| one.common().name != "there");
    assert_snapshot!(shown(&expanded(&regions(), &components_of, &Answers::default()).unwrap()));

    let has_standby = |strategy, failover| {
        let mut components = components(strategy);
        if let Some(Component::Database(it)) = components.last_mut() {
            it.failover = failover;
        }
        let expansion = expanded(&regions(), &components, &Answers::default()).unwrap();
        expansion.resources.iter().find(|one| one.kind == "db_copy").unwrap().inputs["multi_az"].clone()
    };
    assert_eq!(has_standby(RecoveryStrategy::PilotLight, Failover::Automatic), false.into());
    assert_eq!(has_standby(RecoveryStrategy::ActiveActive, Failover::Automatic), true.into());
    assert_eq!(has_standby(RecoveryStrategy::ActiveActive, Failover::Manual), false.into());
}

#[test]
fn a_global_database_is_made_of_a_cluster_and_joined_by_another() {
    let mut components = components(RecoveryStrategy::WarmStandby);
    if let Some(Component::Database(it)) = components.last_mut() {
        it.engine = DatabaseEngine::AuroraPostgres;
        it.instance_type = Some("db.r6g.large".into());
        it.storage = None;
    }
    assert_snapshot!(shown(&expanded(&regions(), &components, &Answers::default()).unwrap()));
}

#[test]
fn what_is_asked_of_the_world_is_asked_of_both_regions() {
    let (regions, components) = (regions(), components(RecoveryStrategy::PilotLight));
    let stack = Stack { name: "shop".into(), environment: "default".into() };
    let request = ExpandRequest {
        stack: &stack,
        region: &regions[0],
        component: &components[0],
        components: &components,
        regions: &regions,
    };
    let asked = lookups(&request);
    for name in ["refuge", "haven"] {
        let question =
            Lookup::Provider { region: name.into(), question: ZONES.into(), subject: String::new() };
        assert!(asked.contains(&question), "{asked:?}");
    }
}

#[test]
fn what_cannot_be_copied_is_said_at_its_key() {
    let warm = || components(RecoveryStrategy::WarmStandby);
    let check = |change: &dyn Fn(&mut Region, &mut Vec<Component>)| {
        let (mut regions, mut components) = (regions(), warm());
        change(&mut regions[1], &mut components);
        problems(expanded(&regions, &components, &Answers::default()))
    };
    assert_snapshot!(
        [
            check(&|haven, _| haven.provider = "ssh".into()),
            check(&|haven, _| haven.location = Some("eu-west-1".into())),
            // Where it has components of its own, the first of them says it.
            check(&|haven, all| {
                haven.location = None;
                all.retain(|one| one.common().name != "there");
            }),
            check(&|haven, _| haven.location = Some("cn-north-1".into())),
            check(&|_, all| all.retain(|one| one.id().section != Section::Databases)),
            check(&|_, all| all.retain(|one| one.common().name != "there")),
            check(&|_, all| {
                if let Some(Component::Database(it)) = all.last_mut() {
                    it.password = None;
                }
            }),
            check(&|_, all| {
                if let Some(Component::Database(it)) = all.last_mut() {
                    it.engine = DatabaseEngine::AuroraPostgres;
                }
            }),
            {
                let mut all = components(RecoveryStrategy::BackupRestore);
                if let Some(Component::Database(it)) = all.last_mut() {
                    it.engine = DatabaseEngine::AuroraMysql;
                }
                problems(expanded(&regions(), &all, &Answers::default()))
            },
            {
                let mut regions = regions();
                regions[0].account = Some("123456789012".into());
                regions[1].account = Some("210987654321".into());
                problems(expanded(&regions, &warm(), &Answers::default()))
            },
        ]
        .join("\n")
    );
}
