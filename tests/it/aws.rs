//! The provider `aws` on moto, an endpoint that nobody here wrote: the real binary, an account of its own for each test.
//!
//! What is in the account is counted by boto3 (`aws/census.py`), not by our own state. What moto cannot show (states that
//! take their time, permissions, throttling) is shown beside the kinds, with recorded answers, and by the proxy's rules.
#![cfg(test)]

mod account;
mod aurora;
mod certificates;
mod databases;
mod faults;
mod groups;
mod import;
mod issued;
mod killed;
mod monitoring;
mod names;
mod network;
mod places;
mod preflight;
mod regions;
mod replaced;
mod serving;
mod session_stores;
mod shop;
mod starter;
mod zones;
