//! The real program in a real pseudo-terminal: keys in, screen out, and a clean terminal at the end.

mod background;
mod change;
mod deeds;
mod endings;
mod errands;
mod private;
pub mod terminal;
mod walk;
