//! `orderscope attach`, `hand-over` and `migrate`: whose database it is, and its schema.

use super::{
    Outcome,
    args::{Global, MigrateArgs, OwnershipArgs, PublisherArg},
    operation::{self, Ask},
};
use crate::{
    config::Settings,
    ops::operation::{Operation, Publisher},
};

pub(super) async fn attach(args: &OwnershipArgs, global: &Global, settings: &Settings) -> Outcome {
    let operation = Operation::Attach { publisher: args.publisher.map(publisher) };
    operation::run_owning(Ask::new(&args.run, args.output), global, settings, operation, None).await
}

pub(super) async fn hand_over(
    args: &OwnershipArgs,
    global: &Global,
    settings: &Settings,
) -> Outcome {
    let operation = Operation::HandOver { publisher: args.publisher.map(publisher) };
    operation::run_owning(Ask::new(&args.run, args.output), global, settings, operation, None).await
}

pub(super) async fn migrate(args: &MigrateArgs, global: &Global, settings: &Settings) -> Outcome {
    let ask = Ask::new(&args.run, args.output);
    operation::run_owning(ask, global, settings, Operation::Migrate, None).await
}

const fn publisher(given: PublisherArg) -> Publisher {
    match given {
        PublisherArg::Service => Publisher::Service,
        PublisherArg::Outbox => Publisher::Outbox,
        PublisherArg::Unknown => Publisher::Unknown,
    }
}
