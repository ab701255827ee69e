//! Bulk operations over a frozen list: every item once, whoever is killed, and nobody alone where two are needed.

mod approval;
mod engine;
mod killed;
mod marks;
mod purge;
mod steering;
pub mod verbs;
