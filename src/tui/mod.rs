//! The console: a loop that turns input into messages, messages into state and effects, and state
//! into frames.

pub mod app;
pub mod change;
pub mod effect;
pub mod journal;
pub mod operations;
pub mod route;
pub mod runtime;
pub mod screens;
pub mod selection;
pub mod services;
pub mod shared;
pub mod term;
#[cfg(test)]
mod tests;
pub mod ui;
pub mod words;
