//! The room of the AWS provider: everything that needs an AWS SDK crate will live here, one file a kind of resource.
//!
//! Deliberately empty so far. The feature `aws` switches it, so that nobody who does not use it pays for the SDKs.
