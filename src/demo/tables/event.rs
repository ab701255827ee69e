//! Events: their metadata, and their bodies in every shape that occurs.

use uuid::Uuid;

use super::{
    copy::{Chunk, Table, TableWriter},
    json::{self, push_money, push_number},
};
use crate::demo::{
    catalogue,
    moment::{MILLI, Moment},
    order::{Fate, Line, Order},
    people::Person,
    plan::Plan,
    random::{Random, Subject},
    step::{Event, PlacedOrder, Step},
    trouble::Kind,
};

/// The default of the document's column, 2025-09-28 17:03:19.743016 UTC.
const FROZEN: Moment = Moment(1_759_078_999_743_016);
const KNOWN: [(&str, &str); 3] = [
    ("order_placed_event", "OrderPlacedEvent"),
    ("order_completed_event", "OrderCompletedEvent"),
    ("order_cancelled_event", "OrderCancelledEvent"),
];
/// Types that another version of the service may write.
const UNKNOWN: [(&str, &str); 5] = [
    ("order_gift_wrapped_event", "OrderGiftWrappedEvent"),
    ("parcel_scanned_event", "ParcelScannedEvent"),
    ("parcel_position_updated_event", "ParcelPositionUpdatedEvent"),
    ("order_viewed_event", "OrderViewedEvent"),
    ("warehouse_note_added_event", "WarehouseNoteAddedEvent"),
];

/// What an event gets from the time and the request in which it was written.
#[derive(Debug)]
pub struct EventMetadata {
    pub id: Uuid,
    /// `DateOccurred`.
    pub occurred: Moment,
    /// When the row was written, slightly later.
    pub written: Moment,
    /// `timestamp`: the same, unless the writer left it out.
    pub at: Moment,
    /// W3C trace id: 32 hexadecimal digits.
    pub trace: String,
    /// W3C span id: 16 hexadecimal digits.
    pub span: String,
    /// The event's own stream, where it has one.
    pub own_stream: Uuid,
    /// The seed for everything else of this event.
    pub seed: u64,
}

impl EventMetadata {
    pub fn new(plan: &Plan, order: &Order, step: Step) -> Self {
        let nth = |subject, version: u64| {
            Random::new(plan.options.seed, subject, order.index * 1024 + version)
        };
        let mut random = nth(Subject::Event, step.version);
        let occurred = step.at.plus(random.between(300, 4 * MILLI));
        let written = occurred.plus(random.between(MILLI, 45 * MILLI));
        let frozen = order.trouble == Some(Kind::FrozenTimestamp) && step.event == Event::Completed;
        let id = (u128::from(random.any()) << 64) | u128::from(random.any());
        // A command that arrived as a message belongs to the request that placed the order.
        let commanded = matches!(order.fate, Fate::Completed { by_message: true, .. });
        let request = if commanded && step.event == Event::Completed { 1 } else { step.version };
        let mut trace = nth(Subject::Trace, request);
        Self {
            id: uuid::Builder::from_random_bytes(id.to_be_bytes()).into_uuid(),
            occurred,
            written,
            at: if frozen { FROZEN } else { written },
            trace: format!("{:016x}{:016x}", trace.any(), trace.any()),
            span: format!("{:016x}", random.any()),
            own_stream: occurred.v7(&mut random),
            seed: random.any(),
        }
    }

    /// `00-<trace>-<span>-01`
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.trace, self.span)
    }
}

/// Writes the row of an event.
pub fn event<S: FnMut(Chunk)>(
    tables: &mut TableWriter<S>,
    placed: &PlacedOrder,
    step: Step,
    metadata: &EventMetadata,
    number: u64,
) {
    let (alias, class) = name(step.event);
    let own = placed.order.trouble == Some(Kind::ForeignStreams);
    let (stream, version) =
        if own { (metadata.own_stream, 1) } else { (placed.order.id, step.version) };
    let mut body = String::with_capacity(1024);
    push_body(&mut body, placed, step, metadata);
    let headers = format!("{{\"traceparent\":\"{}\"}}", metadata.traceparent());
    tables.row(Table::Events, |row| {
        row.big(number).id(metadata.id).id(stream).big(version).json(&body).text(alias);
        row.at(Some(metadata.at));
        row.text(&format!("BookWorm.Ordering.Domain.Events.{class}, BookWorm.Ordering"));
        row.text(&metadata.trace).text(&metadata.span).json(&headers);
    });
}

/// Marten's alias and the class of an event.
fn name(event: Event) -> (&'static str, &'static str) {
    match event {
        Event::Placed | Event::Deleted => KNOWN[0],
        Event::Completed => KNOWN[1],
        Event::Cancelled => KNOWN[2],
        // The first is for the order with one unknown event, the others for the long stream.
        Event::Unknown(0) => UNKNOWN[0],
        Event::Unknown(n) => UNKNOWN[1 + usize::try_from(n % 4).unwrap_or_default()],
    }
}

/// The alias of an event's type.
pub fn alias(event: Event) -> &'static str {
    name(event).0
}

/// How bodies are spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// As this program writes them: with the buyer as of that time.
    Ours,
    /// As the .NET service writes them: no buyer, a back-reference that is null, a row version.
    Service,
    /// As this program writes them, in camelCase.
    Camel,
}

/// Writes a body in the spelling of a style.
struct Body<'a> {
    out: &'a mut String,
    style: Style,
}

impl Body<'_> {
    /// `,"Name":`, without the comma after an opening brace.
    fn key(&mut self, name: &str) -> &mut String {
        if !self.out.ends_with(['{', '[']) {
            self.out.push(',');
        }
        self.out.push('"');
        let (first, rest) = name.split_at(1);
        if self.style == Style::Camel {
            self.out.push_str(&first.to_ascii_lowercase());
        } else {
            self.out.push_str(first);
        }
        self.out.push_str(rest);
        self.out.push_str("\":");
        self.out
    }

    fn text(&mut self, key: &str, text: &str) {
        json::push_text(self.key(key), text);
    }

    fn id(&mut self, key: &str, id: Uuid) {
        json::push_uuid(self.key(key), id);
    }

    fn order(&mut self, placed: &PlacedOrder, event: Event) {
        let order = &placed.order;
        let ended = (event != Event::Placed).then(|| order.fate.at()).flatten();
        self.id("Id", order.id);
        self.text("Status", status(event));
        json::push_optional(self.key("Note"), order.note.as_deref());
        self.id("BuyerId", placed.buyer);
        self.buyer(placed.buyer, &placed.person);
        let trouble = order.trouble;
        if trouble == Some(Kind::UnreadableItems) && event == Event::Placed {
            self.text("OrderItems", &format!("{} items", order.lines.len()));
        } else {
            self.key("OrderItems").push('[');
            for line in &order.lines {
                self.line(order.id, line);
            }
            self.out.push(']');
        }
        if trouble == Some(Kind::UnreadableTotal) && event == Event::Completed {
            let mut total = String::new();
            push_money(&mut total, order.total());
            self.text("TotalPrice", &total.replace('.', ","));
        } else {
            push_money(self.key("TotalPrice"), order.total());
        }
        self.key("IsDeleted").push_str("false");
        json::push_moment(self.key("CreatedAt"), Some(order.created));
        json::push_moment(self.key("LastModifiedAt"), ended);
        if self.style == Style::Service {
            push_number(self.key("RowVersion"), 700 + order.index % 90_000);
        }
    }

    fn line(&mut self, order: Uuid, line: &Line) {
        if !self.out.ends_with('[') {
            self.out.push(',');
        }
        self.out.push('{');
        self.id("Id", line.id);
        if self.style == Style::Service {
            self.key("Order").push_str("null");
        }
        self.id("BookId", catalogue::id(line.book));
        push_number(self.key("Quantity"), line.quantity);
        push_money(self.key("Price"), line.cents);
        self.id("OrderId", order);
        self.out.push('}');
    }

    fn buyer(&mut self, id: Uuid, person: &Person) {
        if self.style == Style::Service {
            self.key("Buyer").push_str("null");
            return;
        }
        self.key("Buyer").push('{');
        self.id("Id", id);
        self.text("Name", &person.name);
        match &person.address {
            Some(address) => {
                self.key("Address").push('{');
                self.text("Street", &address.street);
                self.text("City", address.city);
                self.text("Province", address.province);
                self.out.push('}');
            }
            None => self.key("Address").push_str("null"),
        }
        self.out.push('}');
    }

    /// The body of an unknown event.
    fn unknown(&mut self, order: &Order, n: u64) {
        self.id("OrderId", order.id);
        match n % 4 {
            0 if n == 0 => self.text("Paper", "blue stars"),
            0 => self.text("Scanner", &format!("gate {}", n % 7)),
            1 => {
                push_number(self.key("KilometresLeft"), 900_u64.saturating_sub(n));
            }
            2 => self.text("Viewer", "support"),
            _ => self.text("Text", &format!("shelf {} checked", n % 40)),
        }
    }
}

fn push_body(out: &mut String, placed: &PlacedOrder, step: Step, metadata: &EventMetadata) {
    let style = match placed.order.trouble {
        Some(Kind::ForeignStreams) => Style::Service,
        Some(Kind::CamelCase) => Style::Camel,
        _ => Style::Ours,
    };
    out.push('{');
    let mut body = Body { out, style };
    if let Event::Unknown(n) = step.event {
        body.unknown(&placed.order, n);
    } else {
        body.key("Order").push('{');
        body.order(placed, step.event);
        body.out.push('}');
        if let (Event::Cancelled, Fate::Cancelled { reason, .. }) = (step.event, placed.order.fate)
        {
            body.text("Reason", reason);
        }
    }
    json::push_moment(body.key("DateOccurred"), Some(metadata.occurred));
    body.out.push('}');
}

/// The order in a snapshot of its stream: the `Order` of an event body.
pub fn snapshot(placed: &PlacedOrder) -> String {
    let mut out = String::from("{");
    Body { out: &mut out, style: Style::Ours }.order(placed, Event::Completed);
    out.push('}');
    out
}

/// The status after an event, as spelled in bodies and summaries.
pub fn status(event: Event) -> &'static str {
    match event {
        Event::Completed => "Completed",
        Event::Cancelled => "Cancelled",
        Event::Placed | Event::Unknown(_) | Event::Deleted => "New",
    }
}
