//! The real program in a real pseudo-terminal: keys in, screen out, and a clean terminal at the end.

mod background;
mod beside;
mod broker_operations;
mod bulk;
mod change;
mod endings;
mod outbox_actions;
mod private;
mod replies;
mod shapes;
mod suspend;
pub mod terminal;
mod walk;
