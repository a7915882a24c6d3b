//! A key for tests, and stores sealed with it.

use std::sync::Arc;

use crate::seal::{Header, Identities, Opening, Recipient, SEAL_KEY, Seal, Sealed, Wrapping};
use crate::store::Store;

/// A key that a test made for itself. Opening with it is cheap, as with a passphrase it is not.
pub struct Key {
    opening: Opening,
    recipient: Recipient,
}

impl Default for Key {
    fn default() -> Self {
        let (identities, recipient) = Identities::generate();
        Self { opening: Opening::Identities(identities), recipient }
    }
}

impl Key {
    /// The state of `raw`, sealed if it was not, and opened.
    pub async fn open(&self, raw: Arc<dyn Store>) -> Arc<dyn Store> {
        let fresh = Seal::new(&Wrapping::Recipients(vec![self.recipient.clone()])).unwrap();
        let kept = raw.get_or_insert_meta(SEAL_KEY, fresh.header().as_str()).await.unwrap();
        let seal = Seal::open(&Header::parse(&kept).unwrap(), &self.opening).unwrap();
        Arc::new(Sealed::new(raw, seal))
    }
}
