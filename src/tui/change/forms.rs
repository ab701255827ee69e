//! The form of each command: its fields, and the command they come to.

use uuid::Uuid;

use super::{Asked, Draft, Kind, Sheet, deeds, errands, rules};
use crate::{
    domain::{
        decide::{Address, Command},
        id::{BuyerId, OrderId},
        order::Buyer,
    },
    ops::{buyers::FoundBuyer, plan::Intent},
    tui::{
        selection::{Matter, Subject},
        shared::Shared,
        ui::{
            form::{Choice, Form, Part},
            remote::Remote,
        },
        words,
    },
};

/// Columns of the lines of an order.
const LINES: &[(&str, u16)] = &[("book id", 38), ("quantity", 10), ("price", 14)];

impl Sheet {
    /// An empty form for a command on this order.
    pub(super) fn new(
        kind: Kind,
        subject: Option<Subject>,
        matter: Option<Box<Matter>>,
        shared: &Shared,
    ) -> Self {
        let reason = |hint| Part::single("reason", "reason", hint);
        let for_audit = "for the audit; may be empty";
        let parts = match kind {
            Kind::Complete | Kind::Delete | Kind::Restore => vec![reason(for_audit)],
            Kind::Cancel => vec![reason("needed: it is written into the order's history")],
            Kind::Address => [address(), vec![reason(for_audit)]].concat(),
            Kind::NewBuyer => {
                [vec![Part::single("name", "name", "up to 20 characters")], address()].concat()
            }
            Kind::NewOrder => vec![
                Part::search("buyer", "buyer", "a part of the name, or the end of the id"),
                Part::grid("lines", "lines", LINES),
                Part::told("total", "total"),
                Part::single("note", "note", "may be empty; up to 500 characters"),
            ],
            Kind::OutboxAction(act) => deeds::parts(act),
            Kind::Errand(task) => errands::parts(task),
        };
        let mut sheet = Self {
            kind,
            subject,
            matter: matter.unwrap_or_default(),
            opened: shared.now.utc,
            largest: shared.policy.largest,
            form: Form::new(parts),
            buyers: Remote::default(),
        };
        sheet.fill(shared);
        sheet.check();
        sheet
    }

    /// What it is about, for the frame.
    pub(super) fn title(&self) -> String {
        let order = || self.subject.as_ref().map_or_else(String::new, |s| s.order.id.short());
        let buyer = self.subject.as_ref().and_then(|subject| subject.order.buyer_id);
        match self.kind {
            Kind::Complete => format!("Complete order {}", order()),
            Kind::Cancel => format!("Cancel order {}", order()),
            Kind::Delete => format!("Delete order {}", order()),
            Kind::Restore => format!("Restore order {}", order()),
            Kind::Address => {
                format!("New address of buyer {}", buyer.map_or_else(String::new, |id| id.short()))
            }
            Kind::NewOrder => "New order".to_owned(),
            Kind::NewBuyer => "New buyer".to_owned(),
            Kind::OutboxAction(act) => deeds::heading(act, &self.matter),
            Kind::Errand(task) => errands::heading(task, &self.matter),
        }
    }

    /// What is said above the fields.
    pub(super) fn words(&self, shared: &Shared) -> &'static str {
        match self.kind {
            Kind::Complete => "Completes the order: it can neither be cancelled nor changed after.",
            Kind::Cancel => "Cancels the order, for good. The reason is kept with the event.",
            Kind::Delete => {
                "Hides the order from the service; no event is written. It can be restored."
            }
            Kind::Restore => "Takes the deletion back; no event is written.",
            Kind::Address if shared.masked => {
                "Replaces all three parts; an empty one is cleared. What is there now is masked: R shows it."
            }
            Kind::Address => "Replaces all three parts; an empty one is cleared.",
            Kind::NewOrder => "A blank line ends the list. Lines never change after placing.",
            Kind::NewBuyer => "A buyer is never deleted, only anonymised.",
            Kind::OutboxAction(act) => deeds::words(act, shared.masked),
            Kind::Errand(task) => errands::words(task),
        }
    }

    /// Puts in what is known and may be seen: the buyer of the chosen order, the address of today.
    fn fill(&mut self, shared: &Shared) {
        match self.kind {
            Kind::OutboxAction(act) => deeds::fill(act, &self.matter, &mut self.form, shared),
            Kind::Errand(_) => errands::fill(&mut self.form),
            _ => {}
        }
        let Some(order) = self.subject.as_ref().map(|subject| &subject.order) else { return };
        let buyer = order.buyer.clone().unwrap_or_default();
        match (self.kind, order.buyer_id) {
            (Kind::Address, _) if !shared.masked => {
                for (name, part) in
                    [("street", buyer.street), ("city", buyer.city), ("province", buyer.province)]
                {
                    self.form.set(name, &part.unwrap_or_default());
                }
            }
            (Kind::NewOrder, Some(id)) => {
                self.form.pick("buyer", choice(&FoundBuyer { id, buyer }, shared));
            }
            _ => {}
        }
    }

    /// Offers the buyers that were found.
    pub(super) fn offer(&mut self, shared: &Shared) {
        let (found, note) = match (&self.buyers.value, &self.buyers.error) {
            (_, Some(error)) => (vec![], format!("not searched: {error}")),
            (Some(found), None) if found.is_empty() => {
                (vec![], "no buyer is called that; c then b makes a new one".to_owned())
            }
            (Some(found), None) => {
                let choices = found.iter().map(|found| choice(found, shared)).collect();
                (choices, "↑ ↓ choose, Enter takes".to_owned())
            }
            (None, None) => (vec![], String::new()),
        };
        self.form.offer("buyer", found, note);
    }

    /// Checks everything typed by the rules, and sums up the lines. Yields the command when all is well.
    pub(super) fn check(&mut self) -> Option<Asked> {
        let mut wrong = vec![];
        let form = &self.form;
        let order = self.subject.as_ref().map(|subject| subject.order.id);
        let buyer = self.subject.as_ref().and_then(|subject| subject.order.buyer_id);
        let mut total = None;
        let mut deed = None;
        let mut errand = None;
        let command = match self.kind {
            Kind::Errand(task) => {
                errand = errands::errand(task, &self.matter, form, &mut wrong);
                rules::reason(form, &mut wrong);
                None
            }
            Kind::OutboxAction(act) => {
                deed =
                    deeds::deed(act, &self.matter, form, (self.opened, self.largest), &mut wrong);
                None
            }
            Kind::Complete => order.map(|id| Command::CompleteOrder { id }),
            Kind::Delete => order.map(|id| Command::DeleteOrder { id }),
            Kind::Restore => order.map(|id| Command::RestoreOrder { id }),
            Kind::Cancel => {
                let reason = rules::reason(form, &mut wrong);
                order.map(|id| Command::CancelOrder { id, reason })
            }
            Kind::Address => {
                let address = rules::address(form, &mut wrong);
                buyer.map(|id| Command::UpdateBuyerAddress { id, address })
            }
            Kind::NewBuyer => {
                let name = rules::name(form, &mut wrong);
                let address = rules::address(form, &mut wrong);
                Some(Command::CreateBuyer { id: BuyerId(Uuid::nil()), name, address })
            }
            Kind::NewOrder => {
                let buyer = rules::buyer(form, &mut wrong);
                let (lines, sum) = rules::lines(form, &mut wrong);
                let note = rules::note(form, &mut wrong);
                total = Some(sum);
                let id = OrderId(Uuid::nil());
                buyer.map(|buyer| Command::CreateOrder { id, buyer, note, lines })
            }
        };
        let own = matches!(self.kind, Kind::Cancel | Kind::Errand(_));
        if !own && !matches!(self.kind, Kind::NewOrder | Kind::NewBuyer) {
            rules::for_audit(form, &mut wrong);
        }
        let reason = Some(form.text("reason").trim().to_owned()).filter(|text| !text.is_empty());
        let fine = wrong.is_empty();
        if let Some(total) = total {
            self.form.tell("total", total);
        }
        self.form.complain(wrong);
        if !fine {
            return None;
        }
        if let Some(errand) = errand {
            return Some(Asked::Errand(errand, reason?));
        }
        let intent = command.map(Intent::Command).or_else(|| deed.map(Intent::Messages))?;
        Some(Asked::Write(Draft { intent, reason, reverses: false }))
    }
}

fn address() -> Vec<Part> {
    vec![
        Part::single("street", "street", "up to 50 characters"),
        Part::single("city", "city", "up to 50 characters"),
        Part::single("province", "province", "up to 50 characters"),
    ]
}

/// A buyer as it may be shown.
fn choice(found: &FoundBuyer, shared: &Shared) -> Choice {
    let name = words::name(found.buyer.name.as_deref(), shared);
    let city = match &found.buyer {
        Buyer { city: Some(city), .. } if !shared.masked => {
            format!("  {}", crate::domain::text::cut(city, 30))
        }
        _ => String::new(),
    };
    Choice { value: found.id.to_string(), label: format!("{}  {name}{city}", found.id.short()) }
}

impl Kind {
    /// Whether the form has a buyer to search for.
    pub(super) const fn searches(self) -> bool {
        matches!(self, Self::NewOrder)
    }
}

/// What an address of empty texts means: nothing known.
pub(super) fn part(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(ToOwned::to_owned)
}

/// The address typed.
pub(super) fn typed(form: &Form) -> Address {
    Address {
        street: part(form.text("street")),
        city: part(form.text("city")),
        province: part(form.text("province")),
    }
}
