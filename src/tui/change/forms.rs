//! The form of each operation: its fields, and the operation they come to.

use uuid::Uuid;

use super::{Draft, Sheet, menu, rules, values};
use crate::{
    domain::{
        decide::Command,
        id::{BuyerId, OrderId},
        order::Buyer,
    },
    ops::{
        buyers::FoundBuyer,
        operation::{Entry, Input, Kind, List, Operation, Reason, Spec},
    },
    tui::{
        selection::{MessageSelection, OrderSelection},
        shared::Shared,
        ui::{
            form::{Choice, Form, Part, Problem},
            remote::Remote,
        },
        words,
    },
};

/// The fields of an operation, the reason last.
fn parts(spec: &'static Spec) -> Vec<Part> {
    let field = |field: &'static crate::ops::operation::Field| match field.input {
        Input::Line => Part::single(field.name, field.label, field.hint),
        Input::Search => Part::search(field.name, field.label, field.hint),
        Input::Grid(columns) => Part::grid(field.name, field.label, columns),
        Input::Told => Part::told(field.name, field.label),
    };
    let hint = match spec.reason {
        Reason::Optional | Reason::NotAsked => "for the audit; may be empty",
        Reason::Needed => "needed: it goes on record",
        Reason::InHistory => "needed: it is written into the order's history",
    };
    let reason = Part::single("reason", "reason", hint);
    spec.fields.iter().map(field).chain([reason]).collect()
}

impl Sheet {
    /// A form for an operation on what is looked at, filled as far as that is known.
    pub(super) fn new(
        (spec, entry): (&'static Spec, &'static Entry),
        subject: Option<OrderSelection>,
        matter: Option<Box<MessageSelection>>,
        shared: &Shared,
    ) -> Self {
        let mut sheet = Self {
            spec,
            entry,
            subject,
            matter: matter.unwrap_or_default(),
            opened: shared.now.utc,
            largest: shared.policy.largest,
            form: Form::new(parts(spec)),
            buyers: Remote::default(),
        };
        sheet.fill(shared);
        sheet.check();
        sheet
    }

    /// What it is about, for the frame.
    pub(super) fn title(&self) -> String {
        menu::heading(self.spec, self.entry, self.subject.as_ref(), &self.matter)
    }

    /// What is said above the fields.
    pub(super) fn words(&self, shared: &Shared) -> &'static str {
        self.entry.masked.filter(|_| shared.masked).unwrap_or(self.entry.words)
    }

    /// Whether the form has a buyer to search for.
    pub(super) fn searches(&self) -> bool {
        self.spec.fields.iter().any(|field| field.input == Input::Search)
    }

    /// Puts in what is known and may be seen: the buyer of the chosen order, the address of today.
    fn fill(&mut self, shared: &Shared) {
        if let Some(unlocked) = &shared.unlocked {
            // What the console was unlocked for is the reason of what follows, unless another one is typed.
            self.form.suggest("reason", &unlocked.reason);
        }
        values::fill(self.spec.kind, &self.matter, &mut self.form, shared);
        let Some(order) = self.subject.as_ref().map(|subject| &subject.order) else { return };
        let buyer = order.buyer.clone().unwrap_or_default();
        match (self.spec.kind, order.buyer_id) {
            (Kind::UpdateBuyerAddress, _) if !shared.masked => {
                for (name, part) in
                    [("street", buyer.street), ("city", buyer.city), ("province", buyer.province)]
                {
                    self.form.set(name, &part.unwrap_or_default());
                }
            }
            (Kind::CreateOrder, Some(id)) => {
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

    /// Checks everything typed by the rules, and sums up the lines. Yields what is to be planned when all is well.
    pub(super) fn check(&mut self) -> Option<Draft> {
        let mut wrong = vec![];
        let mut total = None;
        let form = &self.form;
        let operation = if self.entry.list == List::Orders {
            self.command(&mut total, &mut wrong).map(Operation::Order)
        } else {
            let which = (self.spec.kind, self.entry.choice);
            let limits = (self.opened, self.largest);
            values::on_messages(which, &self.matter, form, limits, &mut wrong)
        };
        match self.spec.reason {
            Reason::Optional | Reason::NotAsked => rules::for_audit(form, &mut wrong),
            Reason::Needed => {
                rules::reason(form, &mut wrong);
            }
            // The command's own.
            Reason::InHistory => {}
        }
        let reason = Some(form.text("reason").trim().to_owned()).filter(|text| !text.is_empty());
        let fine = wrong.is_empty();
        if let Some(total) = total {
            self.form.tell("total", total);
        }
        self.form.complain(wrong);
        Some(Draft { operation: operation.filter(|_| fine)?, reason, reverses: false })
    }

    /// The command about an order or a buyer; `total`: the sum of its lines in words.
    fn command(&self, total: &mut Option<String>, wrong: &mut Vec<Problem>) -> Option<Command> {
        let form = &self.form;
        let order = self.subject.as_ref().map(|subject| subject.order.id);
        let buyer = self.subject.as_ref().and_then(|subject| subject.order.buyer_id);
        match self.spec.kind {
            Kind::CompleteOrder => order.map(|id| Command::CompleteOrder { id }),
            Kind::DeleteOrder => order.map(|id| Command::DeleteOrder { id }),
            Kind::RestoreOrder => order.map(|id| Command::RestoreOrder { id }),
            Kind::CancelOrder => {
                let reason = rules::reason(form, wrong);
                order.map(|id| Command::CancelOrder { id, reason })
            }
            Kind::UpdateBuyerAddress => {
                let address = rules::address(form, wrong);
                buyer.map(|id| Command::UpdateBuyerAddress { id, address })
            }
            Kind::CreateBuyer => {
                let name = rules::name(form, wrong);
                let address = rules::address(form, wrong);
                Some(Command::CreateBuyer { id: BuyerId(Uuid::nil()), name, address })
            }
            Kind::CreateOrder => {
                let buyer = rules::buyer(form, wrong);
                let (lines, sum) = rules::lines(form, wrong);
                let note = rules::note(form, wrong);
                *total = Some(sum);
                let id = OrderId(Uuid::nil());
                buyer.map(|buyer| Command::CreateOrder { id, buyer, note, lines })
            }
            _ => None,
        }
    }
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
