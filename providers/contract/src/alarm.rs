//! Alarms in words that hold for every provider: what is measured of what, which bound it must not pass and for how
//! long. How a provider measures it is the provider's.

use std::{fmt, time::Duration};

use serde::Serialize;

use crate::address::ComponentId;

/// When somebody is told.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Alarm {
    pub name: String,
    /// What is watched.
    pub of: ComponentId,
    pub metric: Metric,
    /// `None`: this metric of this component has no alarm, nor its default one.
    pub bound: Option<Bound>,
    /// How long the bound must have been passed.
    pub lasting: Duration,
    /// Receivers of the monitoring, by name: all where the blueprint names none.
    pub notify: Vec<String>,
}

/// What is measured, whoever measures it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Share of the processors.
    Cpu,
    /// Share of the memory.
    Memory,
    /// What is left of a database's disk: bytes, or a share of it.
    FreeStorage,
    /// Open connections: their number, or the share of those that there may be.
    Connections,
    /// How far a replica is behind.
    ReplicaLag,
    /// What a session store threw away for want of memory, in a minute.
    Evictions,
    /// Members that serve.
    HealthyMembers,
    /// Share of requests answered with 5xx.
    Errors,
    /// How long a member takes to answer; 19 of 20 requests are answered sooner.
    Latency,
    /// How long a certificate is still good for.
    CertificateExpiry,
}

impl Metric {
    pub const fn as_str(self) -> &'static str {
        match self {
            Metric::Cpu => "cpu",
            Metric::Memory => "memory",
            Metric::FreeStorage => "free_storage",
            Metric::Connections => "connections",
            Metric::ReplicaLag => "replica_lag",
            Metric::Evictions => "evictions",
            Metric::HealthyMembers => "healthy_members",
            Metric::Errors => "errors",
            Metric::Latency => "latency",
            Metric::CertificateExpiry => "certificate_expiry",
        }
    }
}

/// What a metric must not pass.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    Above(Amount),
    Below(Amount),
}

/// In the unit of its metric.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// Percent, 0 to 100.
    Share(f64),
    Duration(Duration),
    Bytes(u64),
    Number(f64),
}

/// `80%`, `1m30s`, `10GiB`, `400`: as a blueprint has it.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Amount::Share(percent) => write!(f, "{percent}%"),
            Amount::Duration(duration) => f.write_str(&lasting(*duration)),
            Amount::Bytes(bytes) => {
                let units = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
                let whole = units.into_iter().find(|(size, _)| bytes >= size && bytes % size == 0);
                let (size, unit) = whole.unwrap_or((1, "B"));
                write!(f, "{}{unit}", bytes / size)
            }
            Amount::Number(number) => number.fmt(f),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Above(amount) => write!(f, "above {amount}"),
            Bound::Below(amount) => write!(f, "below {amount}"),
        }
    }
}

/// `5m`, `1h30m`, `250ms`: as a blueprint has it.
pub fn lasting(duration: Duration) -> String {
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let mut left = duration.as_millis();
    let mut text = String::new();
    for (unit, size) in units {
        if left >= size {
            text += &format!("{}{unit}", left / size);
            left %= size;
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_as_a_blueprint_has_them() {
        let shown = [
            Amount::Share(80.0),
            Amount::Share(99.5),
            Amount::Duration(Duration::from_millis(90_250)),
            Amount::Duration(Duration::ZERO),
            Amount::Bytes(10 << 30),
            Amount::Bytes(1_500),
            Amount::Number(400.0),
        ];
        let shown = shown.map(|amount| amount.to_string());
        assert_eq!(shown, ["80%", "99.5%", "1m30s250ms", "0s", "10GiB", "1500B", "400"]);
        assert_eq!(Bound::Below(Amount::Number(1.0)).to_string(), "below 1");
    }
}
