//! A resource as the state has it. The store keeps [`Payload`] as text and never looks inside.

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};
use standfast_contract::{Address, AddressError, Lifecycle, Map, Value};
use standfast_state::{ResourceRecord, Snapshot};

/// What a record says of a resource, decoded.
#[derive(Clone, PartialEq, Debug)]
pub struct Recorded {
    pub address: Address,
    pub deposed: String,
    pub kind: String,
    pub provider: String,
    pub id: String,
    pub dependencies: Vec<Address>,
    pub payload: Payload,
}

/// The version of the payload's format.
const PAYLOAD_VERSION: u32 = 1;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Payload {
    pub version: u32,
    /// As applied; sensitive texts as digests.
    pub inputs: Arc<Map>,
    pub outputs: Arc<Map>,
    pub place: Value,
    pub lane: String,
    #[serde(default)]
    pub lifecycle: Lifecycle,
}

impl Payload {
    pub fn new(inputs: Map, outputs: Map, place: Value, lane: String, lifecycle: Lifecycle) -> Self {
        let (inputs, outputs) = (Arc::new(inputs), Arc::new(outputs));
        Payload { version: PAYLOAD_VERSION, inputs, outputs, place, lane, lifecycle }
    }
}

/// Why a record could not be understood.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("the state's record of `{address}` cannot be read: {reason}")]
    Payload { address: String, reason: String },
    #[error("the state's record of `{address}` has version {version}; this program knows {PAYLOAD_VERSION}")]
    Newer { address: String, version: u32 },
    #[error(transparent)]
    Address(#[from] AddressError),
}

impl Recorded {
    pub fn decode(record: &ResourceRecord) -> Result<Self, RecordError> {
        let payload: Payload = serde_json::from_str(&record.payload).map_err(|error| {
            RecordError::Payload { address: record.address.clone(), reason: error.to_string() }
        })?;
        if payload.version > PAYLOAD_VERSION {
            return Err(RecordError::Newer { address: record.address.clone(), version: payload.version });
        }
        Ok(Recorded {
            address: record.address.parse()?,
            deposed: record.deposed.clone(),
            kind: record.kind.clone(),
            provider: record.provider.clone(),
            id: record.id.clone(),
            dependencies: record.dependencies.iter().map(|text| text.parse()).collect::<Result<_, _>>()?,
            payload,
        })
    }

    pub fn encode(&self) -> ResourceRecord {
        let inputs = serde_json::to_string(&self.payload.inputs).unwrap_or_default();
        ResourceRecord {
            address: self.address.to_string(),
            deposed: self.deposed.clone(),
            kind: self.kind.clone(),
            provider: self.provider.clone(),
            id: self.id.clone(),
            inputs_digest: blake3::hash(inputs.as_bytes()).to_hex().to_string(),
            dependencies: self.dependencies.iter().map(Address::to_string).collect(),
            payload: serde_json::to_string(&self.payload).unwrap_or_default(),
        }
    }
}

/// A create that a run began and whose end nobody recorded: what it takes to look for it, and to take it away when it
/// is no longer wanted.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Interrupted {
    /// To be used again, so that the provider knows it for the same try.
    #[serde(skip)]
    pub token: String,
    pub provider: String,
    pub kind: String,
    pub place: Value,
    pub lane: String,
}

/// The interrupted creates of a state. An intent that cannot be read was written by a newer program; its resource is
/// then planned as if it were new, and the provider's own idempotency decides.
pub fn interrupted(snapshot: &Snapshot) -> HashMap<Address, Interrupted> {
    snapshot
        .open_intents
        .iter()
        .filter(|open| matches!(open.intent.action.as_str(), "create" | "undo"))
        .filter_map(|open| {
            let told: Interrupted = serde_json::from_str(&open.intent.payload).ok()?;
            let address = open.intent.address.parse().ok()?;
            Some((address, Interrupted { token: open.intent.token.clone(), ..told }))
        })
        .collect()
}
