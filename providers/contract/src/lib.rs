//! The contract between the engine and its providers.
//!
//! Read in this order: [`address`] names things, [`value`] holds what is said of them, [`component`] is what a
//! blueprint asks for ([`alarm`] a part of it), [`resource`] is what a provider makes of it, [`provider`] is the trait that does the work.
//!
//! Deliberately absent: YAML, the state store, scheduling, anything that draws. This crate imports nothing of ours.

/// Serde through `Display` and `FromStr`.
macro_rules! text_serde {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub mod address;
pub mod alarm;
pub mod component;
pub mod error;
pub mod outputs;
pub mod provider;
pub mod resource;
pub mod secret;
pub mod value;

pub use address::{Address, AddressError, ComponentId, Section};
pub use component::{Component, Region};
pub use error::{ErrorClass, ProviderError};
pub use provider::{
    Answers, Call, Context, ExpandRequest, Expansion, Found, Health, HealthState, Import, Lookup, Made,
    Observed, Obstacle, Operation, Probe, Problem, Provider, ReadRequest, Stack, Standing, Survey,
};
pub use resource::{Attribute, Desired, Effect, Kind, LEFT, Lifecycle, Member, OnFailure, Rollout, Way};
pub use secret::{SecretSource, Sensitive, Vault};
pub use value::{Map, OutputRef, Target, Value};
