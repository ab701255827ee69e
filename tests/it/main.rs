//! Everything that needs a server, a database or a terminal: one binary, so that it links once.

mod embedded;
mod smoke;
mod support;
