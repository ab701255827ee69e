//! What each term of a query means for this database: a condition, and the indexes that answer it.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    db::{
        Error, Index, Layout, Table, buyers,
        messages::MOST_WITHOUT_INDEX,
        search::{self, Filter, Found, Source},
    },
    domain::search::{IdMatch, Test, Trait},
};

/// A term, its look-ups done.
pub(super) struct Resolved {
    pub filter: Filter,
    /// Where exactly the orders that pass may come from, with a rank: the lower, the fewer.
    pub sources: Option<(u8, Vec<Source>)>,
    /// The sources hold no order that fails the filter.
    pub exact: bool,
}

/// More buyers than this are tested order by order instead of listed buyer by buyer.
const LISTED_BUYERS: usize = 1_000;
/// More buyers than this are not even looked up: names so common are found newest first.
const KNOWN_BUYERS: i64 = 2_000;
/// More buyers than this (as the planner estimates them) are not worth fetching to find out.
const COMMON_NAMES: i64 = 3 * KNOWN_BUYERS;
/// More books than this, of which the end of an id was given, are not listed book by book.
const LISTED_BOOKS: usize = 20;
/// More matches than this (as the planner estimates them) are found sooner newest first.
const RARE: i64 = 12_000;

impl Resolved {
    fn test(filter: Filter) -> Self {
        Self { filter, sources: None, exact: false }
    }

    fn found(filter: Filter, rank: u8, sources: Vec<Source>) -> Self {
        Self { filter, sources: Some((rank, sources)), exact: true }
    }

    fn orders(ids: Vec<Uuid>) -> Self {
        let rank = if ids.len() <= 200 { 0 } else { 4 };
        let sources = if ids.is_empty() { Vec::new() } else { vec![Source::Orders(ids.clone())] };
        Self::found(Filter::Orders(ids), rank, sources)
    }

    pub fn negated(self) -> Self {
        Self::test(Filter::Not(Box::new(self.filter)))
    }

    /// Any of them: sources only if each has some.
    fn any(branches: Vec<Self>) -> Self {
        let mut filters = Vec::new();
        let mut sources = Some((0, Vec::new()));
        let mut exact = true;
        for branch in branches {
            filters.push(branch.filter);
            exact &= branch.exact;
            sources = sources.zip(branch.sources).map(|((rank, mut all), (other, more))| {
                all.extend(more);
                (rank.max(other), all)
            });
        }
        Self { filter: Filter::Any(filters), sources, exact }
    }
}

/// Looks up what a term needs; says in `coverage` what cannot be looked at. A negated term needs no sources.
pub(super) async fn resolve(
    conn: &mut PgConnection,
    layout: &Layout,
    test: &Test,
    negated: bool,
    coverage: &mut Vec<String>,
) -> Result<Resolved, Error> {
    let mut lookup = Look { conn, layout, coverage };
    Ok(match test {
        Test::AnyId(id) => lookup.any_id(*id).await?,
        Test::AnyTail(tail) => {
            let order = lookup.order_tail(tail);
            let buyer = lookup.buyer_tail(tail).await?;
            let name = lookup.buyer_name(tail).await?;
            Resolved::any(vec![order, buyer, name, lookup.note(tail).await?])
        }
        Test::Text(words) => {
            let name = lookup.buyer_name(words).await?;
            Resolved::any(vec![name, lookup.note(words).await?])
        }
        Test::Order(IdMatch::Full(id)) => Resolved::orders(vec![*id]),
        Test::Order(IdMatch::Tail(tail)) => lookup.order_tail(tail),
        Test::Buyer(IdMatch::Full(id)) => lookup.buyers(vec![*id]),
        Test::Buyer(IdMatch::Tail(tail)) => lookup.buyer_tail(tail).await?,
        Test::BuyerName(part) => lookup.buyer_name(part).await?,
        Test::Book(IdMatch::Full(id)) => lookup.books(vec![*id]),
        Test::Book(IdMatch::Tail(tail)) => lookup.book_tail(tail).await?,
        Test::Correlation(id) => lookup.correlation(id).await?,
        Test::Note(words) => lookup.note(words).await?,
        Test::City(city) => lookup.place(false, city).await?,
        Test::Province(name) => lookup.place(true, name).await?,
        Test::Status(status) => Resolved::test(Filter::Status(status.number())),
        Test::Placed(span) => Resolved::test(Filter::Placed(span.clone())),
        Test::Modified(span) => Resolved::test(Filter::Modified(span.clone())),
        Test::Total(span) => {
            let filter = Filter::Total(span.clone());
            let indexed = layout.reads(Table::Summaries) && layout.has(Index::SummaryTotal);
            if negated
                || !indexed
                || search::estimate_total(lookup.conn, layout, span).await? > RARE
            {
                return Ok(Resolved::test(filter));
            }
            lookup.coverage.push(
                "totals found through the summary view: orders that it lacks or has wrong are left out"
                    .to_owned(),
            );
            let sources = Some((5, vec![Source::Total(span.clone())]));
            Resolved { filter, sources, exact: false }
        }
        Test::Items(span) => Resolved::test(Filter::Items(span.clone())),
        Test::Has(Trait::Undelivered) => lookup.undelivered().await?,
        Test::Has(Trait::Letter) => lookup.letters().await?,
        Test::Has(Trait::Drift) => {
            lookup.coverage.push(
                "drift: rows against the summary view, newest orders first; events are compared in the timeline"
                    .to_owned(),
            );
            Resolved::test(Filter::Drift)
        }
        Test::Has(Trait::Deleted) => Resolved::test(Filter::Deleted),
        Test::Has(Trait::Note) => Resolved::test(Filter::HasNote),
    })
}

struct Look<'a> {
    conn: &'a mut PgConnection,
    layout: &'a Layout,
    coverage: &'a mut Vec<String>,
}

impl Look<'_> {
    async fn any_id(&mut self, id: Uuid) -> Result<Resolved, Error> {
        let key = search::key_of(self.conn, self.layout, id).await?;
        if !self.layout.has_or_small(Index::LinesByBook, Table::OrderItems) {
            self.say("not looked for as a book's id: no index on order_items(book_id)");
        }
        if key.order {
            return Ok(Resolved::orders(vec![id]));
        }
        if key.buyer {
            return Ok(self.buyers(vec![id]));
        }
        if key.book {
            return Ok(self.books(vec![id]));
        }
        let found = search::by_any_id(self.conn, self.layout, id).await;
        let found = self.in_time(found, "events and messages of this id")?;
        self.say_events(&[Index::EventId, Index::EventStream, Index::EventCorrelation]);
        self.say_messages(&[
            Index::MessageId,
            Index::MessageConversation,
            Index::MessageCorrelation,
        ]);
        self.say_cut(&found, "orders of this id");
        Ok(Resolved::orders(found.ids))
    }

    fn order_tail(&self, tail: &str) -> Resolved {
        let filter = Filter::OrderTail(tail.to_owned());
        if self.layout.has(Index::OrderTail) {
            return Resolved::found(filter, 1, vec![Source::Tail(tail.to_owned())]);
        }
        Resolved::test(filter)
    }

    fn buyers(&self, ids: Vec<Uuid>) -> Resolved {
        if ids.is_empty() {
            return Resolved::found(Filter::Buyers(ids), 0, Vec::new());
        }
        if ids.len() > LISTED_BUYERS || !self.layout.has(Index::OrdersByBuyer) {
            return Resolved::test(Filter::Buyers(ids));
        }
        Resolved::found(Filter::Buyers(ids.clone()), 2, vec![Source::Buyers(ids)])
    }

    async fn buyer_tail(&mut self, tail: &str) -> Result<Resolved, Error> {
        if !self.layout.has_or_small(Index::BuyerTail, Table::Buyers) {
            return Ok(Resolved::test(Filter::BuyerTail(tail.to_owned())));
        }
        let ids = buyers::by_tail(self.conn, self.layout, tail, KNOWN_BUYERS + 1).await?;
        Ok(self
            .known(ids.into_iter().map(|id| id.0).collect(), || Filter::BuyerTail(tail.to_owned())))
    }

    async fn buyer_name(&mut self, part: &str) -> Result<Resolved, Error> {
        let filter = || Filter::BuyerName(part.to_owned());
        let common = if self.layout.has(Index::BuyerNames) {
            // Fewer letters than a trigram has: nothing for the index, and no rare name.
            part.chars().count() < 3
                || search::estimate_name(self.conn, self.layout, part).await? > COMMON_NAMES
        } else {
            !self.layout.is_small(Table::Buyers)
        };
        if common {
            return Ok(Resolved::test(filter()));
        }
        let ids = buyers::by_name(self.conn, self.layout, part, KNOWN_BUYERS + 1).await?;
        Ok(self.known(ids.into_iter().map(|id| id.0).collect(), filter))
    }

    async fn place(&mut self, is_province: bool, name: &str) -> Result<Resolved, Error> {
        let (index, filter) = if is_province {
            (Index::BuyerProvince, Filter::Province(name.to_owned()))
        } else {
            (Index::BuyerCity, Filter::City(name.to_owned()))
        };
        if !self.layout.has_or_small(index, Table::Buyers) {
            return Ok(Resolved::test(filter));
        }
        let found =
            search::buyers_at(self.conn, self.layout, is_province, name, KNOWN_BUYERS + 1).await?;
        Ok(self.known(found.ids, || filter))
    }

    /// Buyers by their ids, unless there are so many that each order had better be tested.
    fn known(&self, ids: Vec<Uuid>, common: impl FnOnce() -> Filter) -> Resolved {
        let few = i64::try_from(ids.len()).is_ok_and(|count| count <= KNOWN_BUYERS);
        if few { self.buyers(ids) } else { Resolved::test(common()) }
    }

    fn books(&self, ids: Vec<Uuid>) -> Resolved {
        if ids.is_empty() {
            return Resolved::found(Filter::Books(ids), 0, Vec::new());
        }
        if ids.len() > LISTED_BOOKS || !self.layout.has(Index::LinesByBook) {
            return Resolved::test(Filter::Books(ids));
        }
        let sources = ids.iter().map(|id| Source::Book(*id)).collect();
        Resolved::found(Filter::Books(ids), 3, sources)
    }

    async fn book_tail(&mut self, tail: &str) -> Result<Resolved, Error> {
        if !self.layout.has(Index::LinesByBook) {
            return Ok(Resolved::test(Filter::BookTail(tail.to_owned())));
        }
        let found = search::books_by_tail(self.conn, self.layout, tail).await;
        let found = self.in_time(found, "books whose id ends so")?;
        Ok(self.books(found.ids))
    }

    async fn note(&mut self, words: &str) -> Result<Resolved, Error> {
        let filter = Filter::Note(words.to_owned());
        if !self.layout.has(Index::NoteWords)
            || search::estimate_note(self.conn, self.layout, words).await? > RARE
        {
            return Ok(Resolved::test(filter));
        }
        Ok(Resolved::found(filter, 4, vec![Source::Note(words.to_owned())]))
    }

    async fn correlation(&mut self, text: &str) -> Result<Resolved, Error> {
        let found = search::by_correlation(self.conn, self.layout, text).await;
        let found = self.in_time(found, "events and messages of this correlation")?;
        let whole = Uuid::try_parse(text).is_ok();
        if whole {
            self.say_events(&[Index::EventCorrelation]);
            self.say_messages(&[Index::MessageConversation, Index::MessageCorrelation]);
        } else {
            self.say_events(&[Index::EventCorrelationTail]);
            if !self.layout.is_small(Table::OutboxMessages) {
                self.coverage.push(format!(
                    "ends of conversation ids: among the newest {} messages only",
                    search::NEWEST_TAILS
                ));
            }
        }
        self.say_cut(&found, "orders of this correlation");
        Ok(Resolved::orders(found.ids))
    }

    async fn undelivered(&mut self) -> Result<Resolved, Error> {
        for table in [Table::OutboxMessages, Table::OutboxStates] {
            self.say_unread(table);
        }
        let found = search::with_undelivered(self.conn, self.layout).await;
        let found = self.in_time(found, "pending messages")?;
        self.say_cut(&found, "orders with pending messages, by the newest of those messages");
        Ok(Resolved::orders(found.ids))
    }

    async fn letters(&mut self) -> Result<Resolved, Error> {
        for table in [Table::Letters, Table::Events] {
            self.say_unread(table);
        }
        let found = search::with_letters(self.conn, self.layout).await;
        let found = self.in_time(found, "dead letters")?;
        self.say_cut(&found, "orders with dead letters, by the newest letters");
        Ok(Resolved::orders(found.ids))
    }

    /// A look-up that took too long found nothing, and the page says so.
    fn in_time(&mut self, found: Result<Found, Error>, what: &str) -> Result<Found, Error> {
        if let Err(Error::TimedOut(_)) = found {
            self.coverage.push(format!("{what}: looking took too long, for want of an index"));
            return Ok(Found::default());
        }
        found
    }

    fn say(&mut self, note: &str) {
        self.coverage.push(note.to_owned());
    }

    fn say_unread(&mut self, table: Table) {
        if !self.layout.reads(table) {
            self.coverage.push(format!("{} cannot be read: nothing found there", table.name()));
        }
    }

    fn say_cut(&mut self, found: &Found, what: &str) {
        if found.cut {
            self.coverage.push(format!("only the first {} {what}", search::MOST_FOUND));
        }
    }

    fn say_events(&mut self, needed: &[Index]) {
        if !self.layout.reads(Table::Events) {
            self.say_unread(Table::Events);
        } else if needed.iter().any(|index| !self.layout.has_or_small(*index, Table::Events)) {
            let note =
                format!("events: the newest {} only, for want of an index", search::NEWEST_EVENTS);
            self.coverage.push(note);
        }
    }

    fn say_messages(&mut self, needed: &[Index]) {
        let table = Table::OutboxMessages;
        if !self.layout.reads(table) {
            self.say_unread(table);
        } else if needed.iter().any(|index| !self.layout.has_or_small(*index, table)) {
            self.coverage.push(format!(
                "messages: the newest {MOST_WITHOUT_INDEX} only, for want of an index"
            ));
        }
    }
}
