//! Widgets and vocabulary without a domain: keys, theme, lists, text fields, remote data.

pub mod action;
pub mod field;
pub mod hits;
pub mod list;
pub mod pane;
pub mod remote;
pub mod theme;
