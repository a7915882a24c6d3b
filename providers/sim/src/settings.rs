//! How a region of the simulated world behaves. It travels in the `place` of every resource, so that an apply or a
//! destroy without the blueprint meets the same world.

use std::time::Duration;

use standfast_contract::{Map, ProviderError, Region, Value};

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Settings<'a> {
    pub region: &'a str,
    pub seed: u64,
    /// Of each call, milliseconds.
    pub latency_ms: u64,
    /// Share of calls, 0 to 1.
    pub fault_rate: f64,
    /// Share of calls, 0 to 1.
    pub lost_answer_rate: f64,
}

impl<'a> Settings<'a> {
    pub fn of_region(region: &'a Region) -> Self {
        Settings {
            region: &region.name,
            seed: region.sim.seed,
            latency_ms: u64::try_from(region.sim.latency.as_millis()).unwrap_or(u64::MAX),
            fault_rate: region.sim.fault_rate,
            lost_answer_rate: region.sim.lost_answer_rate,
        }
    }

    /// What is zero is left out: a record is kept of every place.
    pub fn to_place(self) -> Value {
        let mut place = Map::new();
        place.insert("region".into(), self.region.into());
        if self.seed != 0 {
            place.insert("seed".into(), Value::Int(self.seed.cast_signed()));
        }
        if self.latency_ms != 0 {
            place.insert("latency_ms".into(), Value::Int(self.latency_ms.cast_signed()));
        }
        if self.fault_rate > 0.0 {
            place.insert("fault_rate".into(), self.fault_rate.into());
        }
        if self.lost_answer_rate > 0.0 {
            place.insert("lost_answer_rate".into(), self.lost_answer_rate.into());
        }
        Value::Map(place)
    }

    pub fn of_place(place: &'a Value) -> Result<Self, ProviderError> {
        let map = place.as_map();
        let region = map.and_then(|map| map.get("region")).and_then(Value::as_str);
        let (Some(map), Some(region)) = (map, region) else {
            return Err(ProviderError::permanent(
                "find the simulated region",
                format!("the place `{place}` names no region"),
            ));
        };
        let whole = |key| map.get(key).and_then(Value::as_int).unwrap_or(0).cast_unsigned();
        let share = |key| match map.get(key) {
            Some(Value::Float(share)) => *share,
            // A share of exactly 1 is read back from JSON as a whole number.
            Some(Value::Int(1)) => 1.0,
            _ => 0.0,
        };
        Ok(Settings {
            region,
            seed: whole("seed"),
            latency_ms: whole("latency_ms"),
            fault_rate: share("fault_rate"),
            lost_answer_rate: share("lost_answer_rate"),
        })
    }

    /// The way there and the way back, so that a call can be cut off on either side of its effect.
    pub fn ways(self) -> (Duration, Duration) {
        let there = self.latency_ms / 2;
        (Duration::from_millis(there), Duration::from_millis(self.latency_ms - there))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_tells_the_settings_again_after_json() {
        for settings in [
            Settings { region: "home", seed: 0, latency_ms: 0, fault_rate: 0.0, lost_answer_rate: 0.0 },
            Settings { region: "a", seed: u64::MAX, latency_ms: 5, fault_rate: 0.25, lost_answer_rate: 1.0 },
        ] {
            let json = serde_json::to_string(&settings.to_place()).unwrap();
            let place: Value = serde_json::from_str(&json).unwrap();
            assert_eq!(Settings::of_place(&place).unwrap(), settings);
        }
        assert!(Settings::of_place(&Value::text("home")).is_err());
    }
}
