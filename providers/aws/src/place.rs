//! Which account and region a resource is in. It travels with every resource, so that an apply or a destroy without
//! the blueprint meets the same ones.

use standfast_contract::{Map, ProviderError, Region, Value};

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Place {
    /// `eu-west-1`.
    pub location: String,
    /// The account that must answer.
    pub account: Option<String>,
    /// The role that does the work, by ARN.
    pub assume_role: Option<String>,
}

impl Place {
    pub fn of_region(region: &Region) -> Option<Self> {
        Some(Place {
            location: region.location.clone()?,
            account: region.account.clone(),
            assume_role: region.assume_role.clone(),
        })
    }

    pub fn to_value(&self) -> Value {
        let parts = [
            ("location", Some(&self.location)),
            ("account", self.account.as_ref()),
            ("assume_role", self.assume_role.as_ref()),
        ];
        let given = parts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text?.as_str().into())));
        Value::Map(given.collect())
    }

    pub fn parse(value: &Value) -> Result<Self, ProviderError> {
        let text = |map: &Map, key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
        value
            .as_map()
            .and_then(|map| {
                Some(Place {
                    location: text(map, "location")?,
                    account: text(map, "account"),
                    assume_role: text(map, "assume_role"),
                })
            })
            .ok_or_else(|| {
                ProviderError::permanent("find the AWS region", format!("the place `{value}` names none"))
            })
    }

    /// Steps of one service in one region share a limit, as their calls share one at AWS.
    pub fn lane(&self, service: &str) -> String {
        format!("aws:{}:{service}", self.location)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_tells_itself_again_after_json() {
        let whole = Place {
            location: "eu-west-1".into(),
            account: Some("123456789012".into()),
            assume_role: Some("arn:aws:iam::123456789012:role/deploy".into()),
        };
        for place in [Place { account: None, assume_role: None, ..whole.clone() }, whole] {
            let json = serde_json::to_string(&place.to_value()).unwrap();
            assert_eq!(Place::parse(&serde_json::from_str(&json).unwrap()).unwrap(), place);
        }
        assert!(Place::parse(&Value::text("eu-west-1")).is_err());
    }
}
