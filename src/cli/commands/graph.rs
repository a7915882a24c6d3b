//! `graph`: the resources and what waits for what, as a drawing.

use super::super::{
    CliError, Registry,
    args::{Drawing, Global, GraphArgs, StoreArgs},
    exit,
    session::Session,
    terminal,
};
use crate::graph::draw;

pub async fn run(args: &GraphArgs, global: &Global, registry: &Registry) -> Result<u8, CliError> {
    let store = StoreArgs { state: None, lock_timeout: std::time::Duration::ZERO };
    let session = Session::open(&args.blueprint, &store, global, registry).await?;
    let graph = session.graph().await;
    session.engine.providers.close().await;
    let graph = graph?;
    let level = if args.components { draw::Level::Components } else { draw::Level::Resources };
    let drawing = match args.drawing {
        Drawing::Dot => draw::dot(&graph, level),
        Drawing::Mermaid => draw::mermaid(&graph, level),
        Drawing::Svg => draw::svg(&graph, level),
    };
    terminal::out(drawing.trim_end());
    Ok(exit::OK)
}
