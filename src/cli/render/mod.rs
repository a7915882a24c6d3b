//! Rendering: values in, texts out. Plans, progress, reports, listings, each in the forms that a reader may want.
//!
//! [`plan`] shows a plan as text, JSON, markdown or HTML; [`progress`] draws a run's events while they come; [`report`]
//! says how the run ended; [`status`] and [`listing`] are tables. Styles are always written; the printer strips them
//! where nobody would see them.
//!
//! Deliberately absent: any decision, and any read of the state or the world. Only [`progress`] writes, because it must
//! draw while things happen; everything else returns a `String`.

pub mod diagnostic;
pub mod listing;
pub mod plan;
pub mod progress;
pub mod report;
pub mod status;

mod fit;
mod value;
mod words;

pub use fit::fit;
pub use value::{Masked, MaskedMap};
pub use words::count;
