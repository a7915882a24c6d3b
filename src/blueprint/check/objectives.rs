//! What the design must achieve.

use std::time::Duration;

use serde::Serialize;

use super::super::reader::Reader;

/// What must hold, by what is lost. `None`: nothing is asked for.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Objectives {
    /// Percent of the time, 0 to 100.
    pub availability: Option<f64>,
    pub host: Objective,
    pub zone: Objective,
    pub region: Objective,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Objective {
    /// How long it may be out.
    pub rto: Option<Duration>,
    /// How much of the latest data may be gone, as time.
    pub rpo: Option<Duration>,
}

/// One pair for all counts where a pair of its own says nothing.
pub fn objectives(reader: Option<Reader<'_>>) -> Objectives {
    let Some(reader) = reader else { return Objectives::default() };
    let all = Objective { rto: reader.duration("rto"), rpo: reader.duration("rpo") };
    let of = |key: &str| match reader.child(key) {
        None => all,
        Some(own) => Objective { rto: own.duration("rto").or(all.rto), rpo: own.duration("rpo").or(all.rpo) },
    };
    Objectives {
        availability: reader.share("availability"),
        host: of("host"),
        zone: of("zone"),
        region: of("region"),
    }
}
