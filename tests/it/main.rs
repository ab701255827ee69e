//! Everything that needs a server, a database or a terminal: one binary, so that it links once.

mod attached;
mod demo;
mod embedded;
mod pty;
mod reads;
mod schema;
mod smoke;
mod support;
