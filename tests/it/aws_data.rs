//! What keeps data on AWS, and names, on moto: made, made again, drifted and healed, grown, taken away.
//!
//! What is in the account is counted by boto3 (`aws_data/census.py`), not by our own state. What moto cannot show
//! (states that take their time, permissions, throttling) is shown beside the kinds, with recorded answers.

mod account;
mod databases;
mod names;
mod session_stores;
