//! `graph`: the components and what uses what, or the resources and what waits for what, as a drawing.

use super::super::{
    CliError, Registry,
    args::{Drawing, Global, GraphArgs, StackArgs, StoreArgs},
    exit,
    session::{Session, load},
    terminal,
};
use crate::graph::draw::Picture;

pub async fn run(args: &GraphArgs, global: &Global, registry: &Registry) -> Result<u8, CliError> {
    if !args.resources {
        print(&Picture::of_components(&load(&args.blueprint, global)?), args, global);
        return Ok(exit::OK);
    }
    let store = StoreArgs { state: None, keys: args.keys.clone(), lock_timeout: std::time::Duration::ZERO };
    let stack = StackArgs { blueprint: args.blueprint.clone(), store };
    let session = Session::open(&stack, global, registry).await?;
    let graph = session.graph(&[]).await;
    session.engine.providers.close().await;
    print(&Picture::of_resources(&graph?), args, global);
    Ok(exit::OK)
}

fn print(picture: &Picture<'_>, args: &GraphArgs, global: &Global) {
    if super::is_json(global.format) {
        terminal::out(super::pretty(&picture.json()));
        return;
    }
    let drawing = match args.drawing {
        Drawing::Dot => picture.dot(),
        Drawing::Mermaid => picture.mermaid(),
        Drawing::Svg => picture.svg(),
    };
    terminal::out(drawing.trim_end());
}
