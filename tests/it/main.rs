//! The one integration binary. A test file that is not named here is not run.

mod lab;
