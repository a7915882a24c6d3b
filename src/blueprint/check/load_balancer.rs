//! Load balancers: listeners, routes, and what layer 4 cannot do.

use std::collections::HashMap;

use standfast_contract::{
    ComponentId, Section,
    component::{AccessLogs, Algorithm, Certificate, Common, Listener, LoadBalancer, Route, Stickiness},
};

use super::{
    super::{diagnostic::Diagnostic, node::Span, reader::Reader},
    common::{Scope, hosts},
    domain,
};

/// Hosts of one load balancer, and listeners of one: more are no load balancer that anyone could look after.
const HOSTS_MAX: usize = 16;
const LISTENERS_MAX: usize = 100;

pub fn load_balancer(reader: &Reader<'_>, common: Option<Common>, scope: Scope<'_>) -> Option<LoadBalancer> {
    let hosts = hosts(reader, scope, "a load balancer");
    for (key, max) in [("hosts", HOSTS_MAX), ("listeners", LISTENERS_MAX)] {
        let count = reader.items(key).len();
        if count > max {
            reader.push(
                reader.error(key, format!("{count} {key} are too many")).expected(format!("at most {max}")),
            );
            return None;
        }
    }
    let layer = layer(reader);
    let listeners = listeners(reader, layer);
    let virtual_ip = reader.ip("virtual_ip");
    if let (Some(hosts), Some(entry)) = (&hosts, reader.entry("virtual_ip"))
        && hosts.len() == 1
    {
        reader.push(
            Diagnostic::warning(entry.value.span, "a virtual IP with a single host cannot move anywhere")
                .label("lost with its host")
                .help("name a second host in `hosts`"),
        );
    }
    let stickiness = match reader.child("stickiness") {
        None => None,
        Some(it) => {
            only_layer_7(reader, layer, "stickiness", "a cookie");
            Some(stickiness(&it)?)
        }
    };
    Some(LoadBalancer {
        common: common?,
        layer: layer?,
        hosts: hosts?,
        virtual_ip,
        algorithm: reader.choice(
            "algorithm",
            &[
                ("round_robin", Algorithm::RoundRobin),
                ("least_connections", Algorithm::LeastConnections),
                ("source_ip", Algorithm::SourceIp),
            ],
        )?,
        listeners: listeners?,
        stickiness,
        drain_timeout: reader.duration("drain_timeout")?,
        internal: reader.bool("internal")?,
        access_logs: match reader.has("access_logs") {
            true => Some(access_logs(reader)?),
            false => None,
        },
    })
}

fn access_logs(reader: &Reader<'_>) -> Option<AccessLogs> {
    let written = reader.text("access_logs")?;
    let (bucket, prefix) =
        written.strip_prefix("s3://").map_or(("", ""), |rest| rest.split_once('/').unwrap_or((rest, "")));
    // <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
    let is_bucket = (3..=63).contains(&bucket.len())
        && bucket.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'));
    let prefix = prefix.trim_end_matches('/');
    // <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html>
    if !is_bucket || prefix.starts_with('/') || prefix.contains("AWSLogs") {
        reader.push(
            reader
                .error("access_logs", format!("`{written}` is no place for access logs"))
                .expected("a bucket, and a folder in it without `AWSLogs`: `s3://shop-logs/front`"),
        );
        return None;
    }
    Some(AccessLogs { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

fn layer(reader: &Reader<'_>) -> Option<u8> {
    let layer = reader.int("layer")?;
    if matches!(layer, 4 | 7) {
        return Some(layer);
    }
    reader.push(
        reader
            .error("layer", format!("a load balancer cannot work at layer {layer}"))
            .expected("`4` (TCP) or `7` (HTTP)"),
    );
    None
}

fn only_layer_7(reader: &Reader<'_>, layer: Option<u8>, key: &str, what: &str) {
    if let (Some(4), Some(entry)) = (layer, reader.entry(key)) {
        reader.push(
            Diagnostic::error(entry.key, format!("{what} needs layer 7"))
                .label("layer 4 passes connections on without looking into them")
                .help("say `layer: 7`, or remove it"),
        );
    }
}

fn stickiness(reader: &Reader<'_>) -> Option<Stickiness> {
    let cookie = reader.text("cookie")?;
    // RFC 6265, section 4.1.1: a token.
    if !cookie.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)) {
        reader.push(
            reader
                .error("cookie", format!("`{cookie}` is no name of a cookie"))
                .expected("letters, digits, `-` and `_`"),
        );
        return None;
    }
    Some(Stickiness { cookie, ttl: reader.duration("ttl") })
}

fn listeners(reader: &Reader<'_>, layer: Option<u8>) -> Option<Vec<Listener>> {
    let entry = reader.entry("listeners")?;
    if entry.value.as_list().is_some_and(<[_]>::is_empty) {
        reader.push(
            Diagnostic::error(entry.value.span, "a load balancer needs a listener")
                .expected("for example `- { port: 80, to: web }`"),
        );
        return None;
    }
    let mut ports: HashMap<u16, Span> = HashMap::new();
    let found: Vec<_> = reader
        .children("listeners")
        .map(|it| {
            if let Some(port) = it.port("port")
                && let Some(first) = ports.insert(port, it.span("port"))
            {
                it.push(
                    it.error("port", format!("two listeners have port {port}"))
                        .label("again here")
                        .related(first, "first here"),
                );
            }
            listener(&it, layer)
        })
        .collect();
    let listeners: Vec<Listener> = found.into_iter().collect::<Option<_>>()?;
    let has_tls = listeners.iter().any(|listener| listener.certificate.is_some());
    for it in reader.children("listeners").filter(|it| it.has("redirect") && !has_tls) {
        it.push(
            it.warning("redirect", "this redirects to https, and nothing listens with a certificate")
                .help("add a listener: `- { port: 443, certificate: ./tls/NAME.pem, to: GROUP }`"),
        );
    }
    Some(listeners)
}

fn listener(reader: &Reader<'_>, layer: Option<u8>) -> Option<Listener> {
    only_layer_7(reader, layer, "certificate", "a certificate");
    only_layer_7(reader, layer, "redirect", "a redirect");
    let certificate = match reader.text("certificate") {
        // What is no text is a map of names.
        None => match reader.child("certificate") {
            Some(names) => Some(requested(&names)?),
            None => None,
        },
        Some(arn) if arn.starts_with("arn:") => Some(Certificate::Arn(arn)),
        Some(written) => Some(Certificate::Pem(pem(reader, &written)?)),
    };
    if let (Some(entry), true) = (reader.entry("certificate"), reader.has("redirect")) {
        reader.push(
            Diagnostic::error(entry.key, "a listener that redirects to https cannot serve it")
                .help("remove the certificate here, and give it to the listener of port 443"),
        );
    }
    if reader.node("routes").and_then(|node| node.as_list()).is_some_and(<[_]>::is_empty) {
        reader.push(
            reader
                .error("routes", "a listener without a route")
                .expected("for example `routes: [{ to: web }]`"),
        );
        return None;
    }
    let routes = match reader.has("to") {
        true => vec![Some(Route { path: None, host: None, to: group(reader)? })],
        false => routes(reader, layer),
    };
    Some(Listener {
        port: reader.port("port")?,
        redirect_https: reader.has("redirect"),
        certificate,
        routes: routes.into_iter().collect::<Option<_>>()?,
    })
}

fn requested(reader: &Reader<'_>) -> Option<Certificate> {
    let domain = domain::plain(&reader.text("domain")?);
    let also: Vec<String> = reader.texts("also").iter().map(|written| domain::plain(written)).collect();
    let mut is_fine = true;
    for (key, name) in [("domain", &domain)].into_iter().chain(also.iter().map(|name| ("also", name))) {
        is_fine &= domain::told(reader, key, "name of a certificate", name, check_certified(name));
        if (key == "also" && *name == domain) || also.iter().filter(|other| *other == name).count() > 1 {
            reader.push(reader.error("also", format!("`{name}` is named twice")).help("keep one"));
            is_fine = false;
            break;
        }
    }
    is_fine.then_some(Certificate::Requested { domain, also })
}

/// As a public authority takes it: two labels at least, `*` for the first one only, and no `_`.
/// <https://cabforum.org/working-groups/server/baseline-requirements/requirements/>
fn check_certified(name: &str) -> Result<(), domain::Wrong> {
    domain::check_wildcard(name)?;
    let wrong = |why: &str| Err(domain::Wrong { why: why.to_owned(), meant: None });
    match name.strip_prefix("*.").unwrap_or(name) {
        labels if !labels.contains('.') => wrong("it is of no domain that anybody can own"),
        labels if labels.contains('_') => wrong("no authority certifies a name with `_`"),
        _ => Ok(()),
    }
}

fn pem(reader: &Reader<'_>, written: &str) -> Option<String> {
    let path = reader.context.absolute(written);
    if std::path::Path::new(&path).is_file() {
        return Some(path);
    }
    let path = reader.context.shown(&path);
    let folder = std::path::Path::new(&path).parent().map(|folder| folder.display().to_string());
    reader.push(
        reader
            .error("certificate", format!("there is no certificate `{written}`"))
            .label(format!("looked for at {path}"))
            .expected("a PEM file with the certificate, its chain and its private key")
            .help(format!(
                "to rehearse, make one that nobody trusts:\n$ mkdir -p {} && openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -keyout - -out - > {path}",
                folder.unwrap_or_default()
            )),
    );
    None
}

fn routes(reader: &Reader<'_>, layer: Option<u8>) -> Vec<Option<Route>> {
    let mut catch_all: Option<Span> = None;
    let mut first_of_layer_4: Option<Span> = None;
    let mut routes = Vec::new();
    for it in reader.children("routes") {
        if let Some(first) = catch_all {
            it.push(
                Diagnostic::warning(it.owner, "this route is never taken")
                    .label("comes too late")
                    .related(first, "this one takes everything")
                    .help("put the route that takes everything last"),
            );
        }
        for (key, what) in [("path", "a route by path"), ("host", "a route by host")] {
            only_layer_7(&it, layer, key, what);
        }
        if layer == Some(4) {
            match first_of_layer_4 {
                Some(first) => it.push(
                    Diagnostic::error(it.owner, "a listener of layer 4 sends everything to one group")
                        .related(first, "the first is here")
                        .help("remove one of them, or give it a listener of its own"),
                ),
                None => first_of_layer_4 = Some(it.owner),
            }
        }
        if !it.has("path") && !it.has("host") {
            catch_all = catch_all.or(Some(it.owner));
        }
        routes.push(route(&it));
    }
    routes
}

fn route(reader: &Reader<'_>) -> Option<Route> {
    let path = reader.text("path");
    if let Some(path) = &path {
        let before_star = path.strip_suffix('*').unwrap_or(path);
        if !path.starts_with('/') || before_star.contains(['*', '?', '#', ' ']) {
            reader.push(
                reader
                    .error("path", format!("`{path}` is no path of a route"))
                    .expected("a path that begins with `/`, with a `*` at the end only: `/api/*`"),
            );
        }
    }
    let host = reader.text("host");
    if let Some(host) = &host {
        let labels = host.strip_prefix("*.").unwrap_or(host);
        domain::told(reader, "host", "host of a route", host, domain::check_labels(labels));
    }
    Some(Route { path, host, to: group(reader)? })
}

/// The group behind `to`: `web`, or `autoscaling_groups.web`.
fn group(reader: &Reader<'_>) -> Option<ComponentId> {
    let written = reader.text("to")?;
    let prefix = format!("{}.", Section::AutoscalingGroups);
    let name = written.strip_prefix(&prefix).unwrap_or(&written);
    let names = reader.context.names;
    if names.has_component(Section::AutoscalingGroups, name) {
        return Some(ComponentId::new(Section::AutoscalingGroups, name));
    }
    let known = names.components(Section::AutoscalingGroups);
    let message = format!("no autoscaling group `{name}`");
    reader.context.dangling(reader.span("to"), message, name, known, "autoscaling groups");
    None
}
