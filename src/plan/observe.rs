//! Looking at the world: reads in batches, one a provider, all providers at once.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use backon::{BackoffBuilder, ExponentialBuilder};
use futures::future::join_all;
use standfast_contract::{
    Address, Context, ErrorClass, Kind, Map, Observed, OutputRef, Provider, ProviderError, ReadRequest,
    SecretSource, Target, Value, Vault,
    secret::SecretError,
    value::{resolve_like, resolve_map},
};

use super::{
    Warning,
    recorded::{Interrupted, Recorded},
};
use crate::graph::Graph;

/// Tries of a read after the first.
const READ_RETRIES_MAX: usize = 6;

/// The providers of this process, by name.
#[derive(Clone, Default)]
pub struct Providers(pub BTreeMap<&'static str, Arc<dyn Provider>>);

impl Providers {
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Provider>> {
        self.0.get(name)
    }

    pub fn kind(&self, provider: &str, kind: &str) -> Option<&'static Kind> {
        self.get(provider).and_then(|provider| provider.kind(kind))
    }

    pub fn names(&self) -> Vec<&'static str> {
        self.0.keys().copied().collect()
    }

    pub async fn close(&self) {
        join_all(self.0.values().map(|provider| provider.close())).await;
    }
}

/// What a look at one resource gave.
#[derive(Clone, Debug)]
pub enum Look {
    Gone,
    There(Observed),
    /// Its place did not answer.
    Unreadable(ProviderError),
}

/// What was seen, by address.
#[derive(Default, Debug)]
pub struct Observations {
    pub looks: HashMap<Address, Look>,
}

impl Observations {
    /// One warning for each distinct failure, however many resources it hides.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut failures: BTreeMap<String, (usize, Option<String>)> = BTreeMap::new();
        for look in self.looks.values() {
            if let Look::Unreadable(error) = look {
                failures.entry(error.to_string()).or_insert((0, error.hint.clone())).0 += 1;
            }
        }
        failures
            .into_iter()
            .map(|(message, (count, hint))| Warning {
                subject: format!("{} not looked at", crate::words::count(count, "resource")),
                message,
                hint,
            })
            .collect()
    }
}

/// Reads everything recorded, and what an interrupted create may have made.
///
/// A place whose secret cannot be read is an
/// error here and not a warning: nothing could be applied there either.
pub async fn observe(
    providers: &Providers,
    context: &Context,
    graph: &Graph,
    recorded: &[Recorded],
    interrupted: &HashMap<Address, Interrupted>,
    vault: &Vault,
) -> Result<Observations, SecretError> {
    let outputs: HashMap<&Address, &Map> =
        recorded.iter().map(|record| (&record.address, &*record.payload.outputs)).collect();
    let known = |reference: &OutputRef| match &reference.of {
        Target::Resource(address) => outputs.get(address).and_then(|map| map.get(&reference.output)).cloned(),
        Target::Component(_) => None,
    };
    let mut batches: BTreeMap<&str, Vec<ReadRequest>> = BTreeMap::new();
    let mut places = Places::default();
    let desired_of = |address: &Address| graph.position(address).map(|at| &graph.resources[at as usize]);
    for record in recorded.iter().filter(|record| record.deposed.is_empty()) {
        let payload = &record.payload;
        let desired = desired_of(&record.address);
        let place = desired.map_or(&payload.place, |desired| &desired.place);
        let inputs = desired.map(|desired| resolve_like(&payload.inputs, &desired.inputs, &known, vault));
        batches.entry(&record.provider).or_default().push(ReadRequest {
            address: record.address.clone(),
            kind: record.kind.clone(),
            place: places.resolve(place, &known, vault)?,
            id: Some(record.id.clone()),
            token: None,
            recorded: Some((Arc::clone(&payload.inputs), Arc::clone(&payload.outputs))),
            desired: inputs.transpose()?,
        });
    }
    let of_old_copies = old_copies(recorded);
    let current: HashSet<&Address> =
        recorded.iter().filter(|record| record.deposed.is_empty()).map(|record| &record.address).collect();
    for (address, told) in interrupted.iter().filter(|(address, _)| !current.contains(address)) {
        let desired = desired_of(address);
        batches.entry(&told.provider).or_default().push(ReadRequest {
            address: address.clone(),
            kind: told.kind.clone(),
            place: places.resolve(desired.map_or(&told.place, |desired| &desired.place), &known, vault)?,
            id: None,
            token: Some(told.token.clone()),
            recorded: None,
            desired: desired
                .map(|desired| resolve_map(&desired.inputs, &known, vault))
                .transpose()?
                .map(Arc::new),
        });
    }
    let answers = join_all(batches.into_iter().map(|(name, requests)| async move {
        let looks = match providers.get(name) {
            Some(provider) => read_patiently(provider.as_ref(), context, &requests).await,
            None => requests.iter().map(|_| Err(no_provider(name))).collect(),
        };
        (requests, looks)
    }))
    .await;
    let mut observations = Observations::default();
    for (requests, looks) in answers {
        observations.looks.reserve(requests.len());
        for (request, look) in requests.into_iter().zip(looks) {
            let look = match look {
                Ok(None) => Look::Gone,
                // Asked for what an interrupted replacement may have made, the world shows what was to be replaced.
                Ok(Some(observed))
                    if request.id.is_none() && of_old_copies.contains(&(&request.address, &observed.id)) =>
                {
                    Look::Gone
                }
                Ok(Some(observed)) => Look::There(observed),
                Err(error) => Look::Unreadable(error),
            };
            observations.looks.insert(request.address, look);
        }
    }
    Ok(observations)
}

/// The ids of what replacements have set aside, with their addresses.
fn old_copies(recorded: &[Recorded]) -> HashSet<(&Address, &String)> {
    let copies = recorded.iter().filter(|record| !record.deposed.is_empty());
    copies.map(|record| (&record.address, &record.id)).collect()
}

/// Resolved places: neighbours mostly share theirs.
#[derive(Default)]
struct Places<'a> {
    last: Option<(&'a Value, Arc<Value>)>,
}

impl<'a> Places<'a> {
    fn resolve(
        &mut self,
        place: &'a Value,
        known: &impl Fn(&OutputRef) -> Option<Value>,
        vault: &Vault,
    ) -> Result<Arc<Value>, SecretError> {
        if let Some((last, resolved)) = &self.last
            && *last == place
        {
            return Ok(Arc::clone(resolved));
        }
        let resolved = Arc::new(place.resolve(known, vault)?);
        self.last = Some((place, Arc::clone(&resolved)));
        Ok(resolved)
    }
}

/// Tries again what failed for the moment only; not the rest of the batch.
async fn read_patiently(
    provider: &dyn Provider,
    context: &Context,
    requests: &[ReadRequest],
) -> Vec<Result<Option<Observed>, ProviderError>> {
    let waits = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_times(READ_RETRIES_MAX)
        .with_jitter()
        .build();
    let mut looks = provider.read(context, requests).await;
    for wait in waits {
        let again: Vec<usize> = looks
            .iter()
            .enumerate()
            .filter(|(_, look)| look.as_ref().is_err_and(|error| error.class == ErrorClass::Transient))
            .map(|(at, _)| at)
            .collect();
        if again.is_empty() {
            break;
        }
        tokio::time::sleep(wait).await;
        let batch: Vec<ReadRequest> = again.iter().map(|&at| requests[at].clone()).collect();
        for (at, look) in again.into_iter().zip(provider.read(context, &batch).await) {
            looks[at] = look;
        }
    }
    looks
}

/// The error for a provider that this build does not have.
pub fn no_provider(name: &str) -> ProviderError {
    ProviderError::permanent(format!("use the provider `{name}`"), "this build of standfast does not have it")
        .hint(format!("build with `--features {name}`"))
}

/// The digest of every secret that these values name, for binding a plan to them.
pub fn secret_digests<'a>(
    values: impl Iterator<Item = &'a Value>,
    vault: &Vault,
) -> Result<Vec<(SecretSource, String)>, SecretError> {
    let mut digests = BTreeMap::new();
    let mut failed = None;
    for value in values {
        value.for_each_secret(&mut |source| match vault.fetch(source) {
            Ok(sensitive) => {
                digests.insert(source.clone(), sensitive.digest().to_owned());
            }
            Err(error) => failed = Some(error),
        });
    }
    failed.map_or_else(|| Ok(digests.into_iter().collect()), Err)
}
