pub enum Level {
    Resources,
    Components,
}
pub fn dot(_: &super::Graph, _: Level) -> String {
    String::new()
}
pub fn mermaid(_: &super::Graph, _: Level) -> String {
    String::new()
}
pub fn svg(_: &super::Graph, _: Level) -> String {
    String::new()
}
