//! Widgets and vocabulary without a domain: keys, theme, lists, text fields, forms, the plan card,
//! remote data.

pub mod action;
pub mod ask;
pub mod field;
pub mod form;
pub mod hits;
pub mod legend;
pub mod list;
pub mod menu;
pub mod pane;
pub mod plan_card;
pub mod remote;
pub mod theme;
pub mod wrap;
