//! Which account and region a resource is in. It travels with every resource, so that an apply or a destroy without
//! the blueprint meets the same ones.

use standfast_contract::{Map, ProviderError, Region, Value};

/// What stands before a region's number.
#[rustfmt::skip]
const DIRECTIONS: &[&str] =
    &["central", "east", "north", "northeast", "northwest", "south", "southeast", "southwest", "west"];

/// To suggest one for a misspelt name. <https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html>
#[rustfmt::skip]
const REGIONS: &[&str] = &[
    "af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1",
    "ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5",
    "ap-southeast-6", "ap-southeast-7", "ca-central-1", "ca-west-1", "cn-north-1", "cn-northwest-1", "eu-central-1",
    "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3", "il-central-1",
    "me-central-1", "me-south-1", "mx-central-1", "sa-east-1", "us-east-1", "us-east-2", "us-gov-east-1",
    "us-gov-west-1", "us-west-1", "us-west-2",
];

/// Letters that may be wrong, too many, too few or swapped in what is still taken for a region's name.
const TYPOS_MAX: usize = 3;

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

    /// Why the location cannot be a region, and what to write after `key` instead. A name that only is not known may be of a
    /// region that is younger than this list.
    pub fn no_region(&self, key: &str) -> Option<(String, String)> {
        let written = &self.location;
        let parts: Vec<&str> = written.split('-').collect();
        let is_of = |part: &str, is: fn(&char) -> bool| !part.is_empty() && part.chars().all(|c| is(&c));
        let (is_formed, is_known) = match parts.as_slice() {
            [words @ .., direction, number] => {
                let mut before = words.iter().chain([direction]);
                let is_formed = !words.is_empty()
                    && before.all(|word| is_of(word, char::is_ascii_lowercase))
                    && is_of(number, char::is_ascii_digit);
                (is_formed, DIRECTIONS.contains(direction))
            }
            _ => (false, false),
        };
        if is_formed && is_known {
            return None;
        }
        let lower: String =
            written.trim().to_ascii_lowercase().replace(|c: char| c.is_whitespace() || c == '_', "-");
        let distance = |region: &str| strsim::osa_distance(&lower, region);
        let nearest = REGIONS.iter().copied().min_by_key(|region| distance(region));
        let hint = match nearest.filter(|nearest| distance(nearest) <= TYPOS_MAX) {
            Some(nearest) => format!("Did you mean `{key}{nearest}`?"),
            None if is_formed => return None,
            None => format!(
                "For example `{key}eu-west-1`; `aws account list-regions` lists those that your account may use."
            ),
        };
        Some((format!("there is no AWS region `{written}`"), hint))
    }

    /// The part of AWS that has its own accounts and ARNs.
    pub fn partition(&self) -> &'static str {
        match self.location.as_str() {
            location if location.starts_with("cn-") => "aws-cn",
            location if location.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }

    /// Why this is another world than `made`: another region, or another account where both are known.
    pub fn differs_from(&self, made: &Place) -> Option<String> {
        let (was, is) = (&made.location, &self.location);
        if was != is {
            return Some(format!("its location was {was}, and is {is} now"));
        }
        let (was, is) = (made.known_account()?, self.known_account()?);
        (was != is).then(|| format!("its account was {was}, and is {is} now"))
    }

    /// As the blueprint says it, or the role that does the work: `arn:aws:iam::123456789012:role/deploy`.
    fn known_account(&self) -> Option<&str> {
        let of_role = || self.assume_role.as_deref()?.split(':').nth(4);
        self.account.as_deref().or_else(of_role)
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
    fn another_location_or_account_is_another_world() {
        let place = |location: &str, account: Option<&str>, role: Option<&str>| Place {
            location: location.into(),
            account: account.map(str::to_owned),
            assume_role: role.map(str::to_owned),
        };
        let here = place("eu-west-1", Some("123456789012"), None);
        let role = |account: &str| format!("arn:aws:iam::{account}:role/deploy");
        for (there, why) in [
            (place("eu-west-1", None, None), None),
            (place("eu-west-1", None, Some(&role("123456789012"))), None),
            (place("eu-west-3", None, None), Some("its location was eu-west-1, and is eu-west-3 now")),
            (
                place("eu-west-1", None, Some(&role("210987654321"))),
                Some("its account was 123456789012, and is 210987654321 now"),
            ),
        ] {
            assert_eq!(there.differs_from(&here).as_deref(), why);
        }
    }

    #[test]
    fn a_misspelt_region_is_told_from_one_that_is_only_unknown() {
        let hint = |location: &str| {
            let place = Place { location: location.into(), account: None, assume_role: None };
            place.no_region("location: ").map(|(_, hint)| hint)
        };
        for (written, region) in [
            ("eu-wst-1", "eu-west-1"),
            ("eu-west", "eu-west-1"),
            ("eu west 1", "eu-west-1"),
            ("EU_CENTRAL_1", "eu-central-1"),
            ("EU-west-1", "eu-west-1"),
            ("us-gov-wesst-1", "us-gov-west-1"),
        ] {
            assert_eq!(hint(written), Some(format!("Did you mean `location: {region}`?")), "{written}");
        }
        for written in
            ["", " ", "../x", "somewhere", "xx", "eu-west-1.example.net", "eu--1", "-1", "a/b-west-1"]
        {
            assert!(hint(written).is_some(), "{written}");
        }
        for written in ["eu-west-1", "eu-west-9", "nz-north-1", "us-iso-east-1", "xy-oben-1"] {
            assert_eq!(hint(written), None, "{written}");
        }
    }

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
