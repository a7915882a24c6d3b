use crate::plan::Plan; pub fn markdown(_plan: &Plan) -> String { String::new() }
