//! What `status` asks of a monitoring: which alarms ring, and whether each receiver has confirmed that it will be told.

use aws_sdk_cloudwatch::types::StateValue;
use standfast_contract::{Health, HealthState, Map, Value};

use crate::{
    clients::Site,
    failure::Failure,
    kinds::{IDS_MAX, Select, alarms, subscribed, texts},
};

/// A probe with `alarms`, their names.
pub(crate) const ALARMS: &str = "alarms";
/// A probe with `subscription`, its ARN.
pub(crate) const RECEIVER: &str = "receiver";

pub(super) async fn alarms_now(site: &Site, inputs: &Map) -> Result<Health, Failure> {
    let names: Vec<&str> = texts(inputs, "alarms").into_iter().collect();
    let mut found = Vec::new();
    for page in names.chunks(IDS_MAX) {
        found.extend(alarms(site, Select::Ids(page)).await?);
    }
    let ringing: Vec<String> = found
        .iter()
        .filter(|alarm| alarm.state_value() == Some(&StateValue::Alarm))
        .map(|alarm| alarm.alarm_description().or(alarm.alarm_name()).unwrap_or_default().to_owned())
        .collect();
    Ok(told(names.len(), found.len(), &ringing))
}

fn told(wanted: usize, there: usize, ringing: &[String]) -> Health {
    if there < wanted {
        let detail = format!("{} of {wanted} alarms are not there", wanted - there);
        return Health { state: HealthState::Degraded, detail };
    }
    match ringing {
        [] => Health { state: HealthState::Healthy, detail: format!("none of {wanted} alarms rings") },
        _ => Health {
            state: HealthState::Degraded,
            detail: format!("{} of {wanted} alarms ring: {}", ringing.len(), ringing.join("; ")),
        },
    }
}

pub(crate) async fn receiver_now(site: &Site, inputs: &Map) -> Result<Health, Failure> {
    let arn = inputs.get("subscription").and_then(Value::as_str).unwrap_or_default();
    Ok(match subscribed(site, arn).await? {
        Some(one) if one.is_confirmed => Health { state: HealthState::Healthy, detail: "is told".into() },
        Some(one) => Health {
            state: HealthState::Degraded,
            detail: format!("is not told yet: {} has to confirm the subscription", one.receiver()),
        },
        None => Health {
            state: HealthState::Down,
            detail: "is told nothing: the subscription is gone, unconfirmed for two days perhaps".into(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_that_ring_or_are_gone_are_told() {
        let ringing = ["databases.orders cpu above 90% for 10m".to_owned()];
        let cases = [(told(3, 3, &[]), HealthState::Healthy), (told(3, 3, &ringing), HealthState::Degraded)];
        for (health, state) in cases {
            assert_eq!(health.state, state, "{}", health.detail);
        }
        assert_eq!(told(3, 3, &ringing).detail, "1 of 3 alarms ring: databases.orders cpu above 90% for 10m");
        assert_eq!(told(3, 2, &[]).detail, "1 of 3 alarms are not there");
    }
}
