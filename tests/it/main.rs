//! The one integration binary.

mod blueprints;
