//! PostgreSQL: pools, layout, errors, cancelling, paging; one file per subject. Every SQL statement
//! of the product lives below this module.

pub mod bulk;
pub mod demo;
pub mod expressions;
pub mod migrate;
