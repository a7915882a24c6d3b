//! Writes `haproxy.cfg` for one load balancer: the whole file, the same on each of its hosts.
//!
//! Source of the rules: HAProxy 2.6 configuration manual (Debian 12), section numbers in brackets; TLS after Mozilla's
//! "intermediate" profile 5.7 without the finite-field ciphers, which would ask for a dhparam file.
//! Deliberately absent: anything about one host. Binding to every address instead of the virtual one means that a
//! backup listens too, so that its health can be seen before the address moves to it, and needs no
//! `ip_nonlocal_bind`.

use std::time::Duration;

use standfast_contract::{
    Stack,
    component::{Algorithm, AutoscalingGroup, HealthCheck, Host, Listener, LoadBalancer, Route},
};

use super::{
    names::{self, time},
    writer::Writer,
};

/// Where the Runtime API listens: drain, undrain and status speak to it.
pub const SOCKET: &str = "/run/haproxy/admin.sock";
/// Where a reload leaves the state of the members for the next process. Below `/run`: a reboot forgets it.
pub const STATE_FILE: &str = "/run/haproxy/server-state";
pub const CERTIFICATES: &str = "/etc/haproxy/certs";

/// Two for each connection: near 10,000 of them, 34 KiB of buffers each, at most 340 MiB. A bound rather than a
/// `maxconn`, with which HAProxy refuses to start where the system allows fewer; `haproxy -c` would not have told.
const FILE_DESCRIPTORS_MAX: u32 = 20_000;

const CIPHERS: &str = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:\
ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
const CIPHER_SUITES: &str = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

/// A load balancer and what it serves.
pub struct Balancer<'a> {
    pub stack: &'a Stack,
    pub balancer: &'a LoadBalancer,
    pub backends: Vec<Backend<'a>>,
    /// Listen on IPv6 as well: a host or the virtual address has one.
    pub ipv6: bool,
}

/// A group that gets requests.
pub struct Backend<'a> {
    pub group: &'a AutoscalingGroup,
    /// The hosts that hold its slots.
    pub members: Vec<&'a Host>,
}

/// Where a listener's certificate lies on the host.
pub fn certificate_path(balancer: &LoadBalancer, listener: &Listener) -> String {
    format!("{CERTIFICATES}/{}-{}.pem", balancer.common.name, listener.port)
}

/// The listener that a redirect leads to.
pub fn https_listener(balancer: &LoadBalancer) -> Option<&Listener> {
    balancer.listeners.iter().find(|listener| listener.certificate.is_some())
}

impl Balancer<'_> {
    /// The file's text.
    pub fn config(&self) -> String {
        let mut file = Writer::default();
        file.top(format!(
            "# load_balancers.{} of {} ({}), written by standfast: what is changed here is changed back.",
            self.balancer.common.name, self.stack.name, self.stack.environment
        ));
        self.global(&mut file);
        self.defaults(&mut file);
        for listener in &self.balancer.listeners {
            self.frontend(&mut file, listener);
        }
        for backend in &self.backends {
            self.backend(&mut file, backend);
        }
        if self.http() && self.balancer.listeners.iter().any(falls_through) {
            file.section("backend no_route").line("http-request return status 404");
        }
        file.finish()
    }

    fn http(&self) -> bool {
        self.balancer.layer == 7
    }

    fn global(&self, file: &mut Writer) {
        file.section("global")
            .line("log /dev/log local0")
            .line("chroot /var/lib/haproxy")
            .line("user haproxy")
            .line("group haproxy")
            .line(format!("fd-hard-limit {FILE_DESCRIPTORS_MAX}"))
            .line("# Drains and health outlive a reload: see haproxy.service.d/standfast.conf.")
            .line(format!("stats socket {SOCKET} mode 660 level admin expose-fd listeners"))
            .line("stats timeout 30s")
            .line(format!("server-state-file {STATE_FILE}"))
            // What was open at a reload gets as long as what is open at a drain.
            .line(format!("hard-stop-after {}", time(self.balancer.drain_timeout.max(HARD_STOP_MIN))));
        if https_listener(self.balancer).is_some() {
            file.line("# Mozilla's intermediate profile")
                .line(format!("ssl-default-bind-ciphers {CIPHERS}"))
                .line(format!("ssl-default-bind-ciphersuites {CIPHER_SUITES}"))
                .line("ssl-default-bind-options prefer-client-ciphers ssl-min-ver TLSv1.2 no-tls-tickets");
        }
    }

    fn defaults(&self, file: &mut Writer) {
        file.section("defaults")
            .line(if self.http() { "mode http" } else { "mode tcp" })
            .line("log global")
            .line(if self.http() { "option httplog" } else { "option tcplog" })
            .line("option dontlognull")
            .line("load-server-state-from-file global")
            // A member that was powered off answers no SYN: after a second the next member is asked, and the client
            // never knows. Redispatch at every retry, not only at the last.
            .line("timeout connect 1s")
            .line("retries 3")
            .line("option redispatch 1");
        if self.http() {
            file.line("timeout http-request 10s")
                .line("timeout http-keep-alive 15s")
                .line("timeout client 60s")
                .line("timeout server 60s")
                .line("timeout queue 10s")
                .line("timeout tunnel 1h")
                .line("option forwardfor")
                .line("http-reuse safe")
                .line("retry-on conn-failure empty-response");
        } else {
            // Idle connections (a database client's, say) are kept, dead ones noticed by keepalives.
            file.line("timeout client 1h")
                .line("timeout server 1h")
                .line("timeout queue 10s")
                .line("option clitcpka");
        }
    }

    fn frontend(&self, file: &mut Writer, listener: &Listener) {
        file.section(format!("frontend {}-{}", names::haproxy(&self.balancer.common.name), listener.port));
        let mut bind = match self.ipv6 {
            true => format!("bind :::{} v4v6", listener.port),
            false => format!("bind *:{}", listener.port),
        };
        if listener.certificate.is_some() {
            bind += &format!(" ssl crt {}", certificate_path(self.balancer, listener));
            if self.http() {
                bind += " alpn h2,http/1.1";
            }
        }
        file.line(bind);
        if listener.redirect_https {
            self.redirect(file);
        } else if self.http() {
            let scheme = if listener.certificate.is_some() { "https" } else { "http" };
            file.line(format!("http-request set-header X-Forwarded-Proto {scheme}"))
                .line(format!("http-request set-header X-Forwarded-Port {}", listener.port));
            routes(file, &listener.routes);
        } else if let Some(route) = listener.routes.first() {
            file.line(format!("default_backend {}", names::haproxy(&route.to.name)));
        }
    }

    /// 301 is what every client knows; 308 keeps the method and body of what is no GET (RFC 9110, 15.4).
    fn redirect(&self, file: &mut Writer) {
        let port = match https_listener(self.balancer).map(|listener| listener.port) {
            None | Some(443) => String::new(),
            Some(port) => format!(":{port}"),
        };
        let location = format!("location https://%[req.hdr(host),field(1,:)]{port}%[pathq]");
        file.line(format!("http-request redirect code 301 {location} if {{ method GET HEAD }}"))
            .line(format!("http-request redirect code 308 {location}"));
    }

    fn backend(&self, file: &mut Writer, backend: &Backend<'_>) {
        let group = backend.group;
        let name = names::haproxy(&group.common.name);
        file.section(format!("# autoscaling_groups.{}", group.common.name)).top(format!("backend {name}"));
        match self.balancer.algorithm {
            Algorithm::RoundRobin => file.line("balance roundrobin"),
            Algorithm::LeastConnections => file.line("balance leastconn"),
            // Consistent: a member that comes or goes moves its own clients only.
            Algorithm::SourceIp => file.line("balance source").line("hash-type consistent"),
        };
        if self.http() {
            // RFC 9110, 9.2.2: what is not safe is sent again only if it never reached the member.
            file.line("http-request disable-l7-retry unless { method GET HEAD OPTIONS }");
        }
        self.stickiness(file, backend, &name);
        checks(file, &group.health_check);
        // Not in `default-server`, from which HAProxy 2.6 does not take it.
        let patience = time(window(&group.health_check));
        for member in &backend.members {
            let host = names::haproxy(&member.name);
            let cookie = if self.sticky() { format!(" cookie {host}") } else { String::new() };
            let endpoint = names::endpoint(member, group.port);
            file.line(format!("server {host} {endpoint} tcp-ut {patience}{cookie}"));
        }
    }

    fn sticky(&self) -> bool {
        self.http() && self.balancer.stickiness.is_some()
    }

    fn stickiness(&self, file: &mut Writer, backend: &Backend<'_>, name: &str) {
        let (true, Some(sticky)) = (self.http(), &self.balancer.stickiness) else { return };
        let mut line = format!("cookie {} insert indirect nocache httponly attr SameSite=Lax", sticky.cookie);
        if self.only_over_tls(backend) {
            line += " secure";
        }
        if let Some(ttl) = sticky.ttl {
            line += &format!(" maxlife {}", time(ttl));
        }
        file.line(line).line("# A drained member has weight 0: its clients go elsewhere, cookie or not.");
        for member in &backend.members {
            let host = names::haproxy(&member.name);
            // `maxlife` makes the cookie `NAME|DATE|DATE`.
            file.line(format!(
                "ignore-persist if {{ srv_weight({name}/{host}) eq 0 }} {{ req.cook({}),field(1,|) -m str {host} }}",
                sticky.cookie
            ));
        }
    }

    fn only_over_tls(&self, backend: &Backend<'_>) -> bool {
        let name = &backend.group.common.name;
        self.balancer
            .listeners
            .iter()
            .filter(|listener| !listener.redirect_https)
            .filter(|listener| listener.routes.iter().any(|route| &route.to.name == name))
            .all(|listener| listener.certificate.is_some())
    }
}

/// A process that is replaced gets at least so long for what it still serves.
const HARD_STOP_MIN: Duration = Duration::from_secs(30);

/// In order: the first that fits is taken; what fits none gets 404 instead of HAProxy's 503, which would read as an outage.
fn routes(file: &mut Writer, routes: &[Route]) {
    for route in routes {
        let backend = names::haproxy(&route.to.name);
        let conditions =
            [route.host.as_deref().map(host_condition), route.path.as_deref().map(path_condition)];
        let conditions: Vec<String> = conditions.into_iter().flatten().collect();
        if conditions.is_empty() {
            file.line(format!("default_backend {backend}"));
            return;
        }
        file.line(format!("use_backend {backend} if {}", conditions.join(" ")));
    }
    file.line("default_backend no_route");
}

/// Whether a request may fit none of a listener's routes.
fn falls_through(listener: &Listener) -> bool {
    !listener.redirect_https
        && !listener.routes.iter().any(|route| route.path.is_none() && route.host.is_none())
}

fn host_condition(host: &str) -> String {
    match host.strip_prefix('*') {
        Some(end) => format!("{{ req.hdr(host),field(1,:) -i -m end {end} }}"),
        None => format!("{{ req.hdr(host),field(1,:) -i -m str {host} }}"),
    }
}

fn path_condition(path: &str) -> String {
    match path.strip_suffix('*') {
        Some(start) => format!("{{ path -m beg {start} }}"),
        None => format!("{{ path -m str {path} }}"),
    }
}

/// Health checks, and what else tells that a member is gone.
///
/// `observe layer4` counts failed connects of live traffic and makes three in a row one failed check more: under load a
/// member without power is out before its own checks say so. Not `layer7`: an application that answers 500 to one bad
/// client must not be taken out. Not `mark-down`: an overload would take out one member after the other.
///
/// What waits for an answer from a host without power would wait for `timeout server`. `tcp-ut` and keepalives end its
/// connection after the health check's own window, and a safe request is then sent again elsewhere. Not `on-marked-down
/// shutdown-sessions`: it also ends requests that were about to be sent to another member.
fn checks(file: &mut Writer, check: &HealthCheck) {
    if let Some(path) = &check.path {
        let host = check.host.as_deref().unwrap_or("localhost");
        file.line("option httpchk")
            .line(format!("http-check send meth GET uri {path} ver HTTP/1.1 hdr Host {host}"))
            .line("http-check expect status 200-399");
    } else {
        file.line("option tcp-check");
    }
    // The kernel counts keepalives in whole seconds.
    let probe = Duration::from_secs(check.interval.as_secs().max(1));
    let port = check.port.map_or_else(String::new, |port| format!(" port {port}"));
    file.line(format!("timeout check {}", time(check.timeout)))
        .line(format!(
            "default-server check{port} inter {} rise {} fall {}",
            time(check.interval),
            check.healthy,
            check.unhealthy
        ))
        .line("default-server observe layer4 error-limit 3 on-error fail-check")
        .line("option srvtcpka")
        .line(format!("srvtcpka-idle {}", time(probe)))
        .line(format!("srvtcpka-intvl {}", time(probe)))
        .line(format!("srvtcpka-cnt {}", check.unhealthy.max(1)));
}

/// How long a member may be gone before its checks have said so.
fn window(check: &HealthCheck) -> Duration {
    check.interval * check.unhealthy.max(1) + check.timeout
}
