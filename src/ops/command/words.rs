//! What is said about a command: before it runs, after it ran, and on the command line.

use std::fmt::Write;

use crate::{
    domain::{
        decide::{Address, Change, Command},
        id::Version,
        order::Buyer,
    },
    ops::{
        plan::{Intent, Request},
        policy::Policy,
    },
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

/// What is typed to run it.
pub const fn word(command: &Command) -> &'static str {
    match command {
        Command::CreateOrder { .. } | Command::CreateBuyer { .. } => "CREATE",
        Command::CompleteOrder { .. } => "COMPLETE",
        Command::CancelOrder { .. } => "CANCEL",
        Command::DeleteOrder { .. } => "DELETE",
        Command::RestoreOrder { .. } => "RESTORE",
        Command::UpdateBuyerAddress { .. } => "CHANGE",
    }
}

/// How it is taken back, in a sentence.
pub const fn undo(command: &Command) -> &'static str {
    match command {
        Command::CreateOrder { .. } => "none once sent; compensation offered: cancel the order",
        Command::CompleteOrder { .. } => "none: a completed order stays completed",
        Command::CancelOrder { .. } => {
            "none once sent; compensation offered: place the order again"
        }
        Command::DeleteOrder { .. } => "restore the order",
        Command::RestoreOrder { .. } => "delete the order again",
        Command::CreateBuyer { .. } => "none: buyers are never deleted, they are anonymised",
        Command::UpdateBuyerAddress { .. } => "change the address back",
    }
}

/// What takes it back. `buyer`: as they were before.
pub fn reverse(command: &Command, buyer: Option<&Buyer>) -> Option<Intent> {
    let back = match command {
        Command::DeleteOrder { id } => Command::RestoreOrder { id: *id },
        Command::RestoreOrder { id } => Command::DeleteOrder { id: *id },
        Command::UpdateBuyerAddress { id, .. } => {
            let Buyer { street, city, province, .. } = buyer?.clone();
            Command::UpdateBuyerAddress { id: *id, address: Address { street, city, province } }
        }
        _ => return None,
    };
    Some(Intent::Command(back))
}

/// The command line that does the same here: where the policy wants the context's name typed, `--yes` runs
/// nothing.
pub fn cli_equivalent(
    request: &Request,
    command: &Command,
    version: Option<Version>,
    policy: &Policy,
) -> String {
    let mut line = String::from("orderscope ");
    let mut say = |flag: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = write!(line, "{flag} {} ", quoted(value));
    };
    match command {
        Command::CreateOrder { id, buyer, note, lines } => {
            say("order create --id", &id.to_string());
            say("--buyer", &buyer.to_string());
            for line in lines {
                say("--line", &format!("{}:{}:{}", line.book, line.quantity, line.price));
            }
            if let Some(note) = note {
                say("--note", note);
            }
        }
        Command::CompleteOrder { id } => say("order complete", &id.to_string()),
        Command::CancelOrder { id, reason } => {
            say("order cancel", &id.to_string());
            say("--reason", reason);
        }
        Command::DeleteOrder { id } => say("order delete", &id.to_string()),
        Command::RestoreOrder { id } => say("order restore", &id.to_string()),
        Command::CreateBuyer { id, name, address } => {
            say("buyer create --id", &id.to_string());
            say("--name", name);
            say_address(&mut say, address);
        }
        Command::UpdateBuyerAddress { id, address } => {
            say("buyer address", &id.to_string());
            say_address(&mut say, address);
        }
    }
    if let Some(version) = version.filter(|version| version.0 > 0) {
        say("--expect-version", &version.to_string());
    }
    let cancels = matches!(command, Command::CancelOrder { .. });
    if let Some(reason) = request.reason.as_deref().filter(|_| !cancels) {
        say("--reason", reason);
    }
    if policy.typed {
        say("--confirm", &policy.phrase(word(command)));
    } else {
        line.push_str("--yes");
    }
    line.trim_end().to_owned()
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

/// For a POSIX shell; control characters, which a terminal would act on, as spaces.
pub fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    let shown: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("'{}'", shown.replace('\'', "'\\''"))
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

/// What audit records are found by.
pub fn targets(command: &Command) -> Vec<String> {
    let order = command.order().map(|id| id.to_string());
    order.into_iter().chain(command.buyer().map(|id| id.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::id::OrderId;

    #[test]
    fn a_twin_survives_the_shell() {
        let id = OrderId(Uuid::from_u128(0x8c41));
        let command = Command::CancelOrder { id, reason: "it's\tlate; $(rm)".to_owned() };
        let request = Request {
            id: Uuid::nil(),
            intent: Intent::Command(command.clone()),
            reason: None,
            expect: None,
        };
        let typed = Policy { context: "prod".to_owned(), typed: true, ..Policy::default() };
        for (policy, end) in [(Policy::default(), "--yes"), (typed, "--confirm 'CANCEL prod'")] {
            assert_eq!(
                cli_equivalent(&request, &command, Some(Version(1)), &policy),
                format!(
                    "orderscope order cancel {id} --reason 'it'\\''s late; $(rm)' --expect-version 1 {end}"
                )
            );
        }
    }
}
