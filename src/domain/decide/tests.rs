//! Single rules, and random commands against a model of the tables.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use super::*;
use crate::domain::{
    body::{body, summary_json},
    compare::{Agreement, Projection, RowFact, Sources, Summary, compare},
    event::RecordedEvent,
    fold::with_row_facts,
    id::{SeqId, Version},
    samples::{any_price, at, event, order},
    timeline::Timeline,
};

fn new_line(quantity: i64, price: &str) -> NewLine {
    NewLine {
        id: LineId(Uuid::from_u128(1)),
        book: BookId(Uuid::from_u128(2)),
        quantity,
        price: price.parse().unwrap(),
    }
}

fn create(lines: Vec<NewLine>) -> Command {
    Command::CreateOrder { id: order().id, buyer: order().buyer_id.unwrap(), note: None, lines }
}

fn cancel(reason: &str) -> Command {
    Command::CancelOrder { id: order().id, reason: reason.to_owned() }
}

fn decided(order: Option<&Order>, command: &Command) -> Result<Change, Refusal> {
    let buyer = Buyer::default();
    decide(&Facts { order, buyer: Some(&buyer), now: at("2026-11-22T09:40:31.1234567Z") }, command)
}

fn refused(order: Option<&Order>, command: &Command) -> Refusal {
    decided(order, command).unwrap_err()
}

#[test]
fn placing() {
    let change = decided(None, &create(vec![new_line(2, "14.20")])).unwrap();
    let placed = change.order().unwrap();
    assert_eq!(placed.total.to_string(), "28.40");
    assert_eq!(placed.status, Status::New);
    assert_eq!(placed.created_at, Some(at("2026-11-22T09:40:31.123456Z")));
    assert_eq!(placed.last_modified_at, None);
    assert_eq!(change.event().unwrap().kind, EventKind::Placed);
}

#[test]
fn numbers_that_do_not_fit_are_refused_and_nothing_panics() {
    let most = "79228162514264337593543950335";
    let rule = |lines| refused(None, &create(lines)).rule();
    assert_eq!(rule(vec![]), "at-least-one-item");
    assert_eq!(rule(vec![new_line(0, "1")]), "quantity-above-zero");
    assert_eq!(rule(vec![new_line(i64::MIN, "1")]), "quantity-above-zero");
    assert_eq!(rule(vec![new_line(2_147_483_648, "1")]), "quantity-fits");
    assert_eq!(rule(vec![new_line(i64::MAX, most)]), "quantity-fits");
    assert_eq!(rule(vec![new_line(1, "-0.01")]), "price-not-negative");
    assert_eq!(rule(vec![new_line(2, most)]), "total-fits");
    assert_eq!(rule(vec![new_line(1, "1"), new_line(1, "1")]), "item-ids-differ");
    assert!(decided(None, &create(vec![new_line(1, most)])).is_ok());
    assert!(decided(None, &create(vec![new_line(2_147_483_647, "0.01")])).is_ok());
    let nothing = decided(None, &create(vec![new_line(1, "-0.00")])).unwrap();
    assert_eq!(nothing.order().unwrap().lines[0].price.to_string(), "0.00");
}

#[test]
fn texts_are_counted_in_characters() {
    assert_eq!(rules::name(&"ễ".repeat(20)), Ok(()));
    assert_eq!(
        rules::name(&"ễ".repeat(21)),
        Err(Refusal::TooLong { input: Input::Name, length: 21, most: 20 })
    );
    assert_eq!(rules::name("  "), Err(Refusal::Empty(Input::Name)));
    assert_eq!(rules::note(&"x".repeat(500)), Ok(()));
    assert!(rules::note(&"x".repeat(501)).is_err());
    assert!(rules::address_part(Input::City, &"x".repeat(51)).is_err());
    assert_eq!(rules::note("a\0b"), Err(Refusal::Unstorable(Input::Note)));
    assert_eq!(refused(Some(&order()), &cancel("")), Refusal::Empty(Input::Reason));
}

#[test]
fn only_a_new_order_ends_and_a_deleted_one_only_comes_back() {
    let new = order();
    let with = |status, is_deleted| Order { status, is_deleted, ..order() };
    let id = new.id;
    let complete = Command::CompleteOrder { id };
    for status in [Status::Completed, Status::Cancelled, Status::Other(7)] {
        let ended = with(status, false);
        assert_eq!(refused(Some(&ended), &complete), Refusal::NotNew { id, status });
        assert_eq!(refused(Some(&ended), &cancel("x")), Refusal::NotNew { id, status });
    }
    let deleted = with(Status::New, true);
    for command in [complete.clone(), cancel("x"), Command::DeleteOrder { id }] {
        assert_eq!(refused(Some(&deleted), &command), Refusal::Deleted(id));
    }
    assert!(decided(Some(&deleted), &Command::RestoreOrder { id }).is_ok());
    assert_eq!(refused(Some(&new), &Command::RestoreOrder { id }), Refusal::NotDeleted(id));
    assert_eq!(refused(None, &complete), Refusal::UnknownOrder(id));
    assert_eq!(refused(Some(&new), &create(vec![new_line(1, "1")])), Refusal::OrderExists(id));
    let cancelled = decided(Some(&new), &cancel("changed my mind")).unwrap();
    assert_eq!(cancelled.order().unwrap().cancel_reason.as_deref(), Some("changed my mind"));
}

#[test]
fn refusals_name_the_rule_in_words() {
    let ended = Order { status: Status::Completed, ..order() };
    let refusal = refused(Some(&ended), &cancel("x"));
    assert_eq!(refusal.to_string(), "only a New order completes or cancels: …8c41 is Completed");
    assert_eq!(refusal.rule(), "only-new-orders-end");
    let refusal = refused(None, &create(vec![new_line(-3, "1")]));
    assert_eq!(refusal.to_string(), "the quantity of item 1 is above 0, not -3");
}

#[test]
fn buyers() {
    let id = BuyerId(Uuid::from_u128(7));
    let now = at("2026-11-22T09:40:31Z");
    let address = Address { city: Some("Hue".to_owned()), ..Address::default() };
    let create =
        |name: &str| Command::CreateBuyer { id, name: name.to_owned(), address: address.clone() };
    let nobody = Facts { order: None, buyer: None, now };
    let known = Buyer { name: Some("Le Thi".to_owned()), ..Buyer::default() };
    let somebody = Facts { buyer: Some(&known), ..nobody };
    let living_in_hue = Buyer { city: Some("Hue".to_owned()), ..known.clone() };
    assert_eq!(
        decide(&nobody, &create("Le Thi")),
        Ok(Change::BuyerCreated { id, buyer: living_in_hue.clone() })
    );
    assert_eq!(decide(&somebody, &create("Le Thi")), Err(Refusal::BuyerExists(id)));
    assert_eq!(decide(&nobody, &create("")), Err(Refusal::Empty(Input::Name)));
    let update = Command::UpdateBuyerAddress { id, address: address.clone() };
    assert_eq!(decide(&somebody, &update), Ok(Change::AddressUpdated { id, buyer: living_in_hue }));
    assert_eq!(decide(&nobody, &update), Err(Refusal::UnknownBuyer(id)));
}

/// What the tables would hold.
#[derive(Debug, Default, Clone, PartialEq)]
struct World {
    buyers: BTreeMap<BuyerId, Buyer>,
    rows: BTreeMap<OrderId, Order>,
    events: Vec<(OrderId, RecordedEvent)>,
    summaries: BTreeMap<OrderId, Value>,
}

impl World {
    fn timeline(&self, id: OrderId) -> Timeline {
        let events = self.events.iter().filter(|(order, _)| *order == id);
        Timeline::new(id, events.map(|(_, event)| event.clone()).collect())
    }

    /// The order a command is decided on.
    fn order(&self, id: OrderId) -> Option<Order> {
        let row = self.rows.get(&id)?;
        let mut row = row.clone();
        row.buyer = row.buyer_id.and_then(|buyer| self.buyers.get(&buyer).cloned());
        self.timeline(id).latest().order().map(|order| with_row_facts(order.clone(), &row))
    }

    fn run(&mut self, command: &Command, now: DateTime<Utc>) -> Result<(), Refusal> {
        let order = command.order().and_then(|id| self.order(id));
        let buyer = command.buyer().and_then(|id| self.buyers.get(&id).cloned());
        let facts = Facts { order: order.as_ref(), buyer: buyer.as_ref(), now };
        match decide(&facts, command)? {
            Change::Event(event) => self.write(&event),
            Change::Deleted(order) | Change::Restored(order) => {
                let row = self.rows.get_mut(&order.id).unwrap();
                row.is_deleted = order.is_deleted;
                row.last_modified_at = order.last_modified_at;
            }
            Change::BuyerCreated { id, buyer } | Change::AddressUpdated { id, buyer } => {
                self.buyers.insert(id, buyer);
            }
        }
        Ok(())
    }

    /// The row by a statement per kind, the event as text, the summary from the event.
    fn write(&mut self, new: &NewEvent) {
        let id = new.order.id;
        if new.kind == EventKind::Placed {
            let row = Order { buyer: None, cancel_reason: None, ..new.order.clone() };
            assert!(self.rows.insert(id, row).is_none());
        } else {
            let row = self.rows.get_mut(&id).unwrap();
            assert_eq!(row.status, Status::New);
            row.status = new.kind.status();
            row.last_modified_at = Some(new.occurred_at);
        }
        let position = i64::try_from(self.events.len()).unwrap() + 1;
        let body = serde_json::from_str(&body(new).to_string()).unwrap();
        let stored = RecordedEvent {
            seq: SeqId(position),
            version: Version(self.timeline(id).last_version().0 + 1),
            at: new.occurred_at,
            ..event(position, new.kind.alias(), body)
        };
        self.events.push((id, stored));
        self.summaries.insert(id, summary_json(&new.order));
    }
}

/// Whether the rules, said once more and independently, allow it.
fn allowed(world: &World, command: &Command) -> bool {
    let row = |id: &OrderId| world.rows.get(id);
    let short = |text: &Option<String>| {
        text.as_ref().is_none_or(|text| text.chars().count() <= 50 && !text.contains('\0'))
    };
    let fits = |a: &Address| short(&a.street) && short(&a.city) && short(&a.province);
    match command {
        Command::CreateOrder { id, buyer, note, lines } => {
            let mut ids: Vec<_> = lines.iter().map(|line| line.id).collect();
            ids.sort();
            ids.dedup();
            row(id).is_none()
                && world.buyers.contains_key(buyer)
                && note.as_ref().is_none_or(|n| n.chars().count() <= 500 && !n.contains('\0'))
                && !lines.is_empty()
                && ids.len() == lines.len()
                && lines.iter().all(|line| (1..=2_147_483_647).contains(&line.quantity))
                && lines.iter().all(|line| line.price >= Decimal::ZERO)
        }
        Command::CompleteOrder { id } => {
            row(id).is_some_and(|row| row.status == Status::New && !row.is_deleted)
        }
        Command::CancelOrder { id, reason } => {
            row(id).is_some_and(|row| row.status == Status::New && !row.is_deleted)
                && !reason.trim().is_empty()
                && reason.chars().count() <= 500
        }
        Command::DeleteOrder { id } => row(id).is_some_and(|row| !row.is_deleted),
        Command::RestoreOrder { id } => row(id).is_some_and(|row| row.is_deleted),
        Command::CreateBuyer { id, name, address } => {
            let length = name.chars().count();
            !world.buyers.contains_key(id)
                && !name.trim().is_empty()
                && length <= 20
                && !name.contains('\0')
                && fits(address)
        }
        Command::UpdateBuyerAddress { id, address } => {
            world.buyers.contains_key(id) && fits(address)
        }
    }
}

fn any_text(most: usize) -> impl Strategy<Value = String> {
    prop_oneof![8 => "\\PC{1,12}", 1 => Just("x".repeat(most + 1)), 1 => Just("a\0b".to_owned())]
}

/// Few ids, so that commands meet; mostly valid inputs, so that orders come to be.
fn any_command() -> impl Strategy<Value = Command> {
    let order_id = || (1u128..4).prop_map(|id| OrderId(Uuid::from_u128(id)));
    let buyer_id = || (1u128..3).prop_map(|id| BuyerId(Uuid::from_u128(id)));
    let part = || proptest::option::of(any_text(50));
    let address = || {
        (part(), part(), part()).prop_map(|(street, city, province)| Address {
            street,
            city,
            province,
        })
    };
    let quantity = prop_oneof![20 => 1i64..50, 1 => Just(0), 1 => Just(-1), 1 => Just(i64::MAX)];
    let price = prop_oneof![20 => any_price(), 1 => Just(Decimal::NEGATIVE_ONE)];
    let line = (1u128..30, quantity, price).prop_map(|(id, quantity, price)| NewLine {
        id: LineId(Uuid::from_u128(id)),
        book: BookId(Uuid::from_u128(id + 100)),
        quantity,
        price,
    });
    let note = proptest::option::of(any_text(500));
    let lines = proptest::collection::vec(line, 0..4);
    prop_oneof![
        3 => (order_id(), buyer_id(), note, lines)
            .prop_map(|(id, buyer, note, lines)| Command::CreateOrder { id, buyer, note, lines }),
        2 => order_id().prop_map(|id| Command::CompleteOrder { id }),
        2 => (order_id(), "[ a-z]{0,9}")
            .prop_map(|(id, reason)| Command::CancelOrder { id, reason }),
        2 => order_id().prop_map(|id| Command::DeleteOrder { id }),
        2 => order_id().prop_map(|id| Command::RestoreOrder { id }),
        3 => (buyer_id(), any_text(20), address())
            .prop_map(|(id, name, address)| Command::CreateBuyer { id, name, address }),
        1 => (buyer_id(), address())
            .prop_map(|(id, address)| Command::UpdateBuyerAddress { id, address }),
    ]
}

proptest! {
    #[test]
    fn after_any_commands_events_row_and_summary_agree(
        commands in proptest::collection::vec(any_command(), 1..40),
    ) {
        let mut world = World::default();
        for (step, command) in (0..).zip(&commands) {
            let before = world.clone();
            let now = at("2026-11-22T09:00:00.1234567Z") + chrono::TimeDelta::seconds(step);
            let expected = allowed(&world, command);
            let result = world.run(command, now);
            prop_assert_eq!(result.is_ok(), expected, "{:?}: {:?}", command, result);
            if result.is_err() {
                prop_assert_eq!(&world, &before);
            }
            for (id, row) in &world.rows {
                let timeline = world.timeline(*id);
                let summary = Summary::read(&world.summaries[id], None);
                let found = compare(&Sources {
                    timeline: &timeline,
                    row: Some(row),
                    summary: Some(&summary),
                    projection: Projection::Inline,
                    history_complete: true,
                });
                prop_assert_eq!(&found.row, &Agreement::Match);
                prop_assert_eq!(&found.summary, &Agreement::Match);
                prop_assert!(found.certain, "{:?}", timeline.latest().uncertain);
                prop_assert_eq!(found.facts.contains(&RowFact::Deleted), row.is_deleted);
                prop_assert_eq!(timeline.latest().order().unwrap().created_at, row.created_at);
            }
        }
    }
}
