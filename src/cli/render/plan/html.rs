use crate::plan::Plan; pub fn html(_plan: &Plan) -> String { String::new() }
