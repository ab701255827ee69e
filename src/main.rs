//! The binary: parse arguments, install hooks, build the runtime, hand over.

fn main() {}
