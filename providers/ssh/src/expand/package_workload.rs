//! A workload that is a Debian package: the package, its files, its service.

use standfast_contract::{Address, Answers, Desired, component::AutoscalingGroup};

use super::{
    files::{Files, Unsaid},
    names,
    site::{Problems, Site, inputs},
};

/// The resources of one slot, in the order in which they are made. The source is package, version and service.
pub fn expand(
    site: &Site<'_>,
    group: &AutoscalingGroup,
    (package, version, service): (&str, Option<&str>, &str),
    answers: &Answers,
    problems: &mut Problems,
) -> Vec<Desired> {
    if !group.workload.environment.is_empty() {
        problems.add(
            "workload.environment",
            format!("package {package} starts its service itself, without this environment"),
            "write what it needs into one of its files",
        );
    }
    let wanted = match version {
        Some(version) => format!("{package}={version}"),
        None => package.to_owned(),
    };
    let package =
        site.resource("package", "packages", inputs([("names", [wanted].into_iter().collect())]), Vec::new());
    let installed = vec![package.address.clone()];
    let mut files = Files::new(site, answers);
    for (index, file) in group.workload.files.iter().enumerate() {
        files.add(file, &format!("workload.files[{index}]"), &installed, problems);
    }

    let mut resources = vec![package];
    let own = (names::service(service), group.port);
    let services = services(site, &files, own, Unsaid::ReloadConfiguration, &installed);
    resources.extend(files.into_resources());
    resources.extend(services);
    resources
}

/// The workload's service with the port that it will bind, and the services that its files name beside it.
pub fn services(
    site: &Site<'_>,
    files: &Files<'_, '_>,
    (own, port): (&str, u16),
    unsaid: Unsaid,
    after: &[Address],
) -> Vec<Desired> {
    let mut all_after = after.to_vec();
    all_after.extend(files.addresses());
    let others =
        files.services().into_iter().filter(|service| *service != own).map(|it| (it, Unsaid::Nothing));
    std::iter::once((own, unsaid))
        .chain(others)
        .map(|(service, unsaid)| {
            let mut inputs =
                inputs([("name", service.into()), ("enabled", true.into()), ("running", true.into())]);
            if service == own {
                inputs.insert("ports".to_owned(), [port].into_iter().collect());
            }
            let (reload, restart) = files.changes(service, unsaid);
            if !reload.is_empty() {
                inputs.insert("reload_on".to_owned(), reload.into());
            }
            if !restart.is_empty() {
                inputs.insert("restart_on".to_owned(), restart.into());
            }
            site.resource("service", service, inputs, all_after.clone())
        })
        .collect()
}
