//! The only file that names provider crates.

use std::{collections::BTreeMap, sync::Arc};

use standfast::{
    cli::{CliError, ProviderSettings},
    plan::observe::Providers,
};
use standfast_contract::Provider;
use standfast_sim::{Sim, World};
use standfast_state::Stores;

/// Every provider that this program was built with.
pub fn providers(settings: &ProviderSettings) -> Result<Providers, CliError> {
    let world = match &settings.sim_world {
        Some(path) => World::open(path)
            .map_err(|error| CliError::new(format!("could not open the simulated world: {error}")))?,
        None => World::memory(),
    };
    let mut providers: BTreeMap<&'static str, Arc<dyn Provider>> = BTreeMap::new();
    let mut add = |provider: Arc<dyn Provider>| providers.insert(provider.name(), provider);
    add(Arc::new(Sim::new(Arc::new(world))));
    #[cfg(feature = "aws")]
    add(Arc::new(standfast_aws::AwsProvider::new()));
    #[cfg(feature = "ssh")]
    add(Arc::new(standfast_ssh::SshProvider::new()));
    Ok(Providers(providers))
}

/// Every kind of store that this program was built with. One that needs a provider's SDK joins here.
pub fn stores() -> Stores {
    let stores = Stores::default();
    #[cfg(feature = "aws")]
    let stores = stores.with(Arc::new(standfast_aws::S3Kind));
    stores
}
