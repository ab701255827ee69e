//! What is said about a command: before it runs, after it ran, and on the command line.

use super::super::value::Operation;
use crate::domain::{
    decide::{Address, Change, Command, NewLine},
    id::Version,
    order::Buyer,
};

/// `cancel order …8c41`
pub fn title(command: &Command) -> String {
    match command {
        Command::CreateOrder { id, .. } => format!("create order {}", id.short()),
        Command::CompleteOrder { id } => format!("complete order {}", id.short()),
        Command::CancelOrder { id, .. } => format!("cancel order {}", id.short()),
        Command::DeleteOrder { id } => format!("delete order {}", id.short()),
        Command::RestoreOrder { id } => format!("restore order {}", id.short()),
        Command::CreateBuyer { id, .. } => format!("create buyer {}", id.short()),
        Command::UpdateBuyerAddress { id, .. } => format!("change address of buyer {}", id.short()),
    }
}

/// What takes it back. `buyer`: as they were before.
pub fn reverse(command: &Command, buyer: Option<&Buyer>) -> Option<Operation> {
    let back = match command {
        Command::DeleteOrder { id } => Command::RestoreOrder { id: *id },
        Command::RestoreOrder { id } => Command::DeleteOrder { id: *id },
        Command::UpdateBuyerAddress { id, .. } => {
            let Buyer { street, city, province, .. } = buyer?.clone();
            Command::UpdateBuyerAddress { id: *id, address: Address { street, city, province } }
        }
        _ => return None,
    };
    Some(Operation::Order(back))
}

/// What its command line says after the verb.
pub fn options(command: &Command) -> Vec<String> {
    let mut out = vec![];
    let mut say = |flag: &str, value: &str| out.extend([flag.to_owned(), value.to_owned()]);
    match command {
        Command::CreateOrder { id, buyer, note, lines } => {
            say("--id", &id.to_string());
            say("--buyer", &buyer.to_string());
            for line in lines {
                say("--line", &format!("{}:{}:{}", line.book, line.quantity, line.price));
            }
            if let Some(note) = note {
                say("--note", note);
            }
        }
        Command::CompleteOrder { id }
        | Command::CancelOrder { id, .. }
        | Command::DeleteOrder { id }
        | Command::RestoreOrder { id } => out.push(id.to_string()),
        Command::CreateBuyer { id, name, address } => {
            say("--id", &id.to_string());
            say("--name", name);
            say_address(&mut say, address);
        }
        Command::UpdateBuyerAddress { id, address } => {
            out.push(id.to_string());
            let mut say = |flag: &str, value: &str| out.extend([flag.to_owned(), value.to_owned()]);
            say_address(&mut say, address);
        }
    }
    out
}

/// What a command says, without the id of what it makes, which every attempt draws for itself.
pub fn content(command: &Command) -> Vec<String> {
    match command {
        Command::CreateOrder { id, buyer, note, lines } => {
            let plain = |line: &NewLine| NewLine { price: line.price.normalize(), ..line.clone() };
            let lines = lines.iter().map(plain).collect();
            let plain = Command::CreateOrder { id: *id, buyer: *buyer, note: note.clone(), lines };
            options(&plain).split_off(2)
        }
        Command::CreateBuyer { .. } => options(command).split_off(2),
        Command::CancelOrder { reason, .. } => {
            [options(command), vec!["--reason".to_owned(), reason.clone()]].concat()
        }
        _ => options(command),
    }
}

fn say_address(say: &mut impl FnMut(&str, &str), address: &Address) {
    let parts = [
        ("--street", &address.street),
        ("--city", &address.city),
        ("--province", &address.province),
    ];
    for (flag, part) in parts {
        if let Some(part) = part {
            say(flag, part);
        }
    }
}

/// What happened and where to look.
pub fn told(change: &Change, version: Option<Version>) -> String {
    match change {
        Change::Event(event) => {
            let at = version.map(|version| format!(", now version {version}")).unwrap_or_default();
            let id = event.order.id;
            format!("order {} is {}{at}; see the timeline of {id}", id.short(), event.order.status)
        }
        Change::Deleted(order) => {
            format!("order {} is deleted; see the timeline of {}", order.id.short(), order.id)
        }
        Change::Restored(order) => {
            format!("order {} is restored; see the timeline of {}", order.id.short(), order.id)
        }
        Change::BuyerCreated { id, .. } => format!("buyer {} is there: {id}", id.short()),
        Change::AddressUpdated { id, .. } => {
            format!("buyer {} has another address; see buyer:{id}", id.short())
        }
    }
}
