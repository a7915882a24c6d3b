//! What a load balancer on hosts cannot be, said before anything is asked of a host.

use standfast_contract::{
    Component, ExpandRequest,
    component::{Certificate, LoadBalancer, Region},
};

use super::{haproxy, site::Problems};

/// Adds every problem of a load balancer that can be seen in the blueprint alone.
pub fn check(request: &ExpandRequest<'_>, balancer: &LoadBalancer, problems: &mut Problems) {
    if balancer.hosts.is_empty() {
        problems.add(
            "hosts",
            "a load balancer of provider ssh needs hosts",
            "name two or more hosts of the region",
        );
    }
    if balancer.internal {
        problems.add(
            "internal",
            "who reaches a load balancer on hosts is a matter of their addresses and their firewall",
            "remove `internal`; give it a `virtual_ip` of an inner network, and say `from` in the `firewall` of a baseline",
        );
    }
    if balancer.access_logs.is_some() {
        problems.add(
            "access_logs",
            "a load balancer on hosts writes its log into the host's journal, and to no bucket",
            "remove `access_logs`; `journalctl -u haproxy` shows what it says",
        );
    }
    listeners(balancer, problems);
    if balancer.layer == 4 {
        layer_four(balancer, problems);
    }
    words(balancer, problems);
    others(request, balancer, problems);
    virtual_ip(request.region, balancer, problems);
}

fn listeners(balancer: &LoadBalancer, problems: &mut Problems) {
    for (index, listener) in balancer.listeners.iter().enumerate() {
        let at_aws = match &listener.certificate {
            Some(Certificate::Arn(arn)) => Some(format!("{arn} stays at AWS")),
            Some(Certificate::Requested { domain, .. }) => {
                Some(format!("a certificate that AWS issues for {domain} stays there"))
            }
            Some(Certificate::Pem(_)) | None => None,
        };
        if let Some(why) = at_aws {
            problems.add(
                format!("listeners[{index}].certificate"),
                format!("{why}: a host cannot have its private key"),
                "give a PEM file with chain and key",
            );
        }
        if listener.redirect_https && haproxy::https_listener(balancer).is_none() {
            problems.add(
                format!("listeners[{index}].redirect"),
                "redirects to https, but no listener has a certificate",
                "add a listener on port 443 with a certificate",
            );
        }
    }
}

fn layer_four(balancer: &LoadBalancer, problems: &mut Problems) {
    if balancer.stickiness.is_some() {
        problems.add("stickiness", "layer 4 sees no cookies", "use `algorithm: source_ip`, or `layer: 7`");
    }
    for (index, listener) in balancer.listeners.iter().enumerate() {
        if listener.redirect_https {
            problems.add(
                format!("listeners[{index}].redirect"),
                "layer 4 sees no requests that it could redirect",
                "use `layer: 7`",
            );
        }
        let plain = listener.routes.len() == 1
            && listener.routes.iter().all(|it| it.path.is_none() && it.host.is_none());
        if !plain && !listener.redirect_https {
            problems.add(
                format!("listeners[{index}].routes"),
                "layer 4 sees neither paths nor host names",
                "give the listener one route with `to` alone, or use `layer: 7`",
            );
        }
    }
}

/// Whether a text can stand in a HAProxy configuration as one word, meaning itself.
pub fn is_word(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '\\' | '#' | '$' | '{' | '}'))
}

fn words(balancer: &LoadBalancer, problems: &mut Problems) {
    let mut refuse = |key: String, text: &str| {
        if !is_word(text) {
            problems.add(
                key,
                format!("`{}` cannot be written into a HAProxy configuration", text.escape_debug()),
                "use printable ASCII without spaces, quotes, backslashes, braces, `#` and `$`; percent-encode the rest",
            );
        }
    };
    if let Some(sticky) = &balancer.stickiness {
        refuse("stickiness.cookie".to_owned(), &sticky.cookie);
    }
    for (index, listener) in balancer.listeners.iter().enumerate() {
        for (nth, route) in listener.routes.iter().enumerate() {
            let key = format!("listeners[{index}].routes[{nth}]");
            for (name, text) in [("path", &route.path), ("host", &route.host)] {
                refuse(format!("{key}.{name}"), text.as_deref().unwrap_or_default());
            }
        }
    }
}

fn others(request: &ExpandRequest<'_>, balancer: &LoadBalancer, problems: &mut Problems) {
    for component in request.components {
        let Component::LoadBalancer(other) = component else { continue };
        if other.common.name == balancer.common.name || other.common.region != balancer.common.region {
            continue;
        }
        for host in balancer.hosts.iter().filter(|host| other.hosts.contains(host)) {
            problems.add(
                "hosts",
                format!(
                    "host {host} is a host of {} too: HAProxy has one configuration a host",
                    component.id()
                ),
                "put the listeners of both into one load balancer, or give each its own hosts",
            );
        }
        if balancer.virtual_ip.is_some() && balancer.virtual_ip == other.virtual_ip {
            problems.add(
                "virtual_ip",
                format!("{} has the same virtual_ip", component.id()),
                "give each load balancer an address of its own",
            );
        }
    }
}

fn virtual_ip(region: &Region, balancer: &LoadBalancer, problems: &mut Problems) {
    let Some(virtual_ip) = balancer.virtual_ip else { return };
    if let Some(host) = region.hosts().find(|host| host.address.parse() == Ok(virtual_ip)) {
        problems.add(
            "virtual_ip",
            format!("{virtual_ip} is the address of host {}", host.name),
            "choose an address that no host has",
        );
    }
}
