//! The verbs that command orders and buyers: what is named on the command line, as a command.

use super::{
    Failure, Outcome,
    args::{Buyer, EndArgs, Global, Order, WriteArgs},
    input, operation, order_lookup,
};
use crate::{
    config::Settings,
    domain::{decide::Command, id::OrderId, order_ref},
    ops::operation::Operation,
    session::Session,
};

/// `order create|complete|cancel|delete|restore`
pub(super) async fn order(verb: Order, global: &Global, settings: &Settings) -> Outcome {
    type Make = fn(OrderId, &WriteArgs) -> Command;
    let (EndArgs { id, write }, make): (EndArgs, Make) = match verb {
        Order::Create(args) => {
            let command = input::order(&args)?;
            return run(&args.write, global, settings, async |_| Ok(command)).await;
        }
        Order::Complete(args) => (args, |id, _| Command::CompleteOrder { id }),
        Order::Cancel(args) => {
            if args.write.run.reason.is_none() {
                return Err(Failure::usage("--reason is needed: why is the order cancelled?"));
            }
            let make: Make = |id, write| Command::CancelOrder {
                id,
                reason: write.run.reason.clone().unwrap_or_default(),
            };
            (args, make)
        }
        Order::Delete(args) => (args, |id, _| Command::DeleteOrder { id }),
        Order::Restore(args) => (args, |id, _| Command::RestoreOrder { id }),
        _ => return Err(Failure::usage("this verb only looks")),
    };
    let wanted = order_ref::parse(&id).map_err(|error| Failure::usage(error.to_string()))?;
    let resolve = async |session: &Session| {
        Ok(make(order_lookup::resolve(session, &wanted, &id).await?, &write))
    };
    run(&write, global, settings, resolve).await
}

/// `buyer create|address`
pub(super) async fn buyer(verb: Buyer, global: &Global, settings: &Settings) -> Outcome {
    let (command, write) = match verb {
        Buyer::Create { json, id, name, address, write } => {
            (input::buyer(json.as_deref(), id.as_deref(), name, address)?, write)
        }
        Buyer::Address { id, json, address, write } => {
            (input::address(&id, json.as_deref(), address)?, write)
        }
    };
    run(&write, global, settings, async |_| Ok(command)).await
}

async fn run(
    args: &WriteArgs,
    global: &Global,
    settings: &Settings,
    make: impl AsyncFnOnce(&Session) -> Result<Command, Failure>,
) -> Outcome {
    let none = Err(Failure::usage("no command needs a broker"));
    let make = async |session: &Session| Ok(Operation::Order(make(session).await?));
    operation::run(args.into(), none, global, settings, make).await
}
