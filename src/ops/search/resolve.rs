//! What each term of a query means for this database: a condition, and the indexes that answer it.

use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    db::{
        Error, Index, Layout, Table, buyers,
        messages::MOST_WITHOUT_INDEX,
        search::{self, Filter, MatchingIds, Source},
        unless_late,
    },
    domain::{
        coverage::NotLookedAt,
        order_ref::IdMatch,
        search::{Span, Test, Trait},
    },
};

/// A term, its look-ups done.
pub(super) struct Resolved {
    pub filter: Filter,
    /// Where exactly the orders that pass may come from, with a rank: the lower, the fewer.
    pub sources: Option<(u8, Vec<Source>)>,
    /// The sources hold no order that fails the filter.
    pub exact: bool,
    /// One in so many of the orders that are looked at is expected to pass; none if unknown.
    pub one_in: Option<i64>,
}

/// More buyers than this are tested order by order instead of listed buyer by buyer.
const LISTED_BUYERS: usize = 1_500;
const LISTED: i64 = 1_500;
/// More buyers of a place than this are not even looked up: places so common are found newest first.
const KNOWN_BUYERS: i64 = 2_000;
/// More buyers than this (as the planner estimates them): a name so common is found sooner by looking at each
/// order's buyer, newest first, than by finding all who bear it.
const COMMON_NAMES: i64 = 8_000;
/// More books than this, of which the end of an id was given, are not listed book by book.
const LISTED_BOOKS: usize = 20;
/// More matches than this (as the planner estimates them) are never fetched all.
const RARE: i64 = 12_000;
/// To fetch a match from anywhere in a table takes as long as to look at so many orders next to each other.
const APART: i64 = 8;
/// A page as it is weighed against fetching all matches.
const PAGE: i64 = 100;
/// More totals than this are found by their buckets.
const RARE_TOTAL: i64 = 1_500;
/// A total that one in so many orders has is found newest first.
const COMMON_TOTAL: i64 = 20;

impl Resolved {
    fn test(filter: Filter) -> Self {
        Self { filter, sources: None, exact: false, one_in: None }
    }

    fn found(filter: Filter, rank: u8, sources: Vec<Source>) -> Self {
        Self { filter, sources: Some((rank, sources)), exact: true, one_in: None }
    }

    /// With the share of orders that is expected to pass: `found` of `all`.
    fn expecting(self, found: i64, all: Option<i64>) -> Self {
        Self { one_in: all.map(|all| (all / found.max(1)).max(1)), ..self }
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
        let mut one_in: Option<i64> = None;
        for branch in branches {
            filters.push(branch.filter);
            exact &= branch.exact;
            one_in = match (one_in, branch.one_in) {
                // Shares add up.
                (Some(a), Some(b)) => {
                    Some((a.saturating_mul(b) / a.saturating_add(b).max(1)).max(1))
                }
                (a, b) => a.or(b),
            };
            sources = sources.zip(branch.sources).map(|((rank, mut all), (other, more))| {
                all.extend(more);
                (rank.max(other), all)
            });
        }
        Self { filter: Filter::Any(filters), sources, exact, one_in }
    }
}

/// Looks up what a term needs; says in `coverage` what cannot be looked at. A negated term needs no sources.
pub(super) async fn resolve(
    conn: &mut PgConnection,
    layout: &Layout,
    test: &Test,
    negated: bool,
    coverage: &mut Vec<NotLookedAt>,
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
        Test::Tenant(name) => lookup.tenant(name),
        Test::Placed(span) => Resolved::test(Filter::Placed(span.clone())),
        Test::Modified(span) => Resolved::test(Filter::Modified(span.clone())),
        Test::Total(span) => lookup.total(span, negated).await?,
        Test::Items(span) => Resolved::test(Filter::Items(span.clone())),
        Test::Has(Trait::Undelivered) => lookup.undelivered().await?,
        Test::Has(Trait::Letter) => lookup.letters().await?,
        Test::Has(Trait::Drift) => {
            lookup.say_unread(Table::Summaries);
            lookup.narrowed(
                "drift",
                "rows against the summary view, newest orders first; events are compared in the timeline",
            );
            Resolved::test(Filter::Drift)
        }
        Test::Has(Trait::Deleted) if lookup.layout.has(Index::DeletedOrders) => {
            Resolved::found(Filter::Deleted, 6, vec![Source::Deleted])
        }
        Test::Has(Trait::Deleted) => Resolved::test(Filter::Deleted),
        Test::Has(Trait::Note) => Resolved::test(Filter::HasNote),
    })
}

/// Whether to fetch all matches of which there are `expected` among `all` is quicker than to look for a page of
/// them newest first.
fn is_rare(expected: i64, all: Option<i64>) -> bool {
    expected <= RARE
        && all.is_none_or(|all| {
            let visited = PAGE.saturating_mul(all) / expected.max(1);
            expected.saturating_mul(APART) <= visited.max(RARE)
        })
}

struct Look<'a> {
    conn: &'a mut PgConnection,
    layout: &'a Layout,
    coverage: &'a mut Vec<NotLookedAt>,
}

impl Look<'_> {
    async fn any_id(&mut self, id: Uuid) -> Result<Resolved, Error> {
        let key = search::key_of(self.conn, self.layout, id).await?;
        if !self.layout.has_or_small(Index::LinesByBook, Table::OrderItems) {
            self.narrowed("the id of a book", "no index on order_items(book_id)");
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
        let find = async |conn: &mut PgConnection, layout: &Layout| {
            search::by_any_id(conn, layout, id).await
        };
        let found = self.in_time("events and messages of this id", find).await?;
        self.say_events(&[Index::EventId, Index::EventStream, Index::EventCorrelation]);
        self.say_messages(&[
            Index::MessageId,
            Index::MessageConversation,
            Index::MessageCorrelation,
        ]);
        self.say_cut(&found, "orders of this id");
        Ok(Resolved::orders(found.ids))
    }

    fn tenant(&mut self, name: &str) -> Resolved {
        self.say_unread(Table::Streams);
        if self.layout.reads(Table::Streams) && !self.layout.has_column(Table::Streams, "tenant_id")
        {
            let why = "no column tenant_id in mt_streams";
            self.coverage.push(NotLookedAt::unknown("tenants", why));
        }
        Resolved::test(Filter::Tenant(name.to_owned()))
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
        let count = i64::try_from(ids.len()).unwrap_or(i64::MAX);
        let all = self.layout.estimated_rows(Table::Buyers);
        if ids.len() > LISTED_BUYERS || !self.layout.has(Index::OrdersByBuyer) {
            return Resolved::test(Filter::Buyers(ids)).expecting(count, all);
        }
        Resolved::found(Filter::Buyers(ids.clone()), 2, vec![Source::Buyers(ids)])
            .expecting(count, all)
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
        let all = self.layout.estimated_rows(Table::Buyers);
        let tested = || Resolved::test(Filter::BuyerName(part.to_owned()));
        let expected = if self.layout.has(Index::BuyerNames) {
            // Fewer letters than a trigram has: nothing for the index, and no rare name.
            if part.chars().count() < 3 {
                return Ok(tested());
            }
            search::estimate_name(self.conn, self.layout, part).await?
        } else if self.layout.is_small(Table::Buyers) {
            0
        } else {
            return Ok(tested());
        };
        if expected > COMMON_NAMES {
            return Ok(tested().expecting(expected, all));
        }
        let rare = || {
            Resolved::test(Filter::RareBuyerName(part.to_owned()))
                .expecting(expected.max(LISTED), all)
        };
        if expected > LISTED {
            return Ok(rare());
        }
        let ids = buyers::by_name(self.conn, self.layout, part, LISTED + 1).await?;
        if ids.len() > LISTED_BUYERS {
            return Ok(rare());
        }
        Ok(self.buyers(ids.into_iter().map(|id| id.0).collect()))
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
        let find = async |conn: &mut PgConnection, layout: &Layout| {
            search::books_by_tail(conn, layout, tail).await
        };
        let found = self.in_time("books whose id ends so", find).await?;
        Ok(self.books(found.ids))
    }

    async fn note(&mut self, words: &str) -> Result<Resolved, Error> {
        let filter = Filter::Note(words.to_owned());
        if !self.layout.has(Index::NoteWords) {
            return Ok(Resolved::test(filter));
        }
        let expected = search::estimate_note(self.conn, self.layout, words).await?;
        let all = self.layout.estimated_rows(Table::Orders);
        let resolved = if is_rare(expected, all) {
            Resolved::found(filter, 4, vec![Source::Note(words.to_owned())])
        } else {
            Resolved::test(filter)
        };
        Ok(resolved.expecting(expected, all))
    }

    async fn total(&mut self, span: &Span<Decimal>, negated: bool) -> Result<Resolved, Error> {
        let filter = Filter::Total(span.clone());
        let summaries = Table::Summaries;
        if negated || !self.layout.reads(summaries) || !self.layout.has(Index::SummaryTotal) {
            return Ok(Resolved::test(filter));
        }
        let expected = search::estimate_total(self.conn, self.layout, span).await?;
        let all = self.layout.estimated_rows(summaries);
        let tested = Resolved::test(filter.clone()).expecting(expected, all);
        let is_common = tested.one_in.is_none_or(|one_in| one_in <= COMMON_TOTAL);
        let mut source = (expected <= RARE).then(|| Source::Total(span.clone()));
        if expected > RARE_TOTAL && self.layout.has(Index::SummaryTotalBucket) {
            if is_common {
                return Ok(tested);
            }
            let ends = search::total_ends(self.conn, self.layout, span).await?;
            source = Source::total_buckets(&ends).or(source);
        }
        let Some(source) = source else { return Ok(tested) };
        self.narrowed(
            "totals",
            "found through the summary view: orders that it lacks or has wrong are left out",
        );
        Ok(Resolved { sources: Some((5, vec![source])), ..tested })
    }

    async fn correlation(&mut self, text: &str) -> Result<Resolved, Error> {
        let find = async |conn: &mut PgConnection, layout: &Layout| {
            search::by_correlation(conn, layout, text).await
        };
        let found = self.in_time("events and messages of this correlation", find).await?;
        let whole = Uuid::try_parse(text).is_ok();
        if whole {
            self.say_events(&[Index::EventCorrelation]);
            self.say_messages(&[Index::MessageConversation, Index::MessageCorrelation]);
        } else {
            self.say_events(&[Index::EventCorrelationTail]);
            if !self.layout.is_small(Table::OutboxMessages) {
                let why = format!("among the newest {} messages only", search::NEWEST_TAILS);
                self.narrowed("ends of conversation ids", &why);
            }
        }
        self.say_cut(&found, "orders of this correlation");
        Ok(Resolved::orders(found.ids))
    }

    async fn undelivered(&mut self) -> Result<Resolved, Error> {
        for table in [Table::OutboxMessages, Table::OutboxStates, Table::InboxStates] {
            self.say_unread(table);
        }
        let found = self.in_time("pending messages", search::with_undelivered).await?;
        self.say_cut(&found, "orders with pending messages, by the newest of those messages");
        Ok(Resolved::orders(found.ids))
    }

    async fn letters(&mut self) -> Result<Resolved, Error> {
        for table in [Table::Letters, Table::Events] {
            self.say_unread(table);
        }
        let found = self.in_time("dead letters", search::with_letters).await?;
        self.say_cut(&found, "orders with dead letters, by the newest letters");
        Ok(Resolved::orders(found.ids))
    }

    /// A look-up that took too long found nothing, and the page says so.
    async fn in_time(
        &mut self,
        what: &str,
        find: impl AsyncFnOnce(&mut PgConnection, &Layout) -> Result<MatchingIds, Error>,
    ) -> Result<MatchingIds, Error> {
        let layout = self.layout;
        let found = unless_late(self.conn, async |conn| find(conn, layout).await).await?;
        Ok(found.unwrap_or_else(|| {
            let why = "looking took too long, for want of an index";
            self.coverage.push(NotLookedAt::unknown(what, why));
            MatchingIds::default()
        }))
    }

    fn narrowed(&mut self, what: &str, why: &str) {
        self.coverage.push(NotLookedAt::narrowed(what, why));
    }

    fn say_unread(&mut self, table: Table) {
        for one in self.layout.not_looked_at(&[table]) {
            if !self.coverage.contains(&one) {
                self.coverage.push(one);
            }
        }
    }

    fn say_cut(&mut self, found: &MatchingIds, what: &str) {
        if found.cut {
            self.narrowed(what, &format!("only the first {}", search::MOST_FOUND));
        }
    }

    fn say_events(&mut self, needed: &[Index]) {
        self.say_unread(Table::Events);
        if self.layout.reads(Table::Events)
            && needed.iter().any(|index| !self.layout.has_or_small(*index, Table::Events))
        {
            let why = format!("the newest {} only, for want of an index", search::NEWEST_EVENTS);
            self.narrowed("events", &why);
        }
    }

    fn say_messages(&mut self, needed: &[Index]) {
        let table = Table::OutboxMessages;
        self.say_unread(table);
        if self.layout.reads(table)
            && needed.iter().any(|index| !self.layout.has_or_small(*index, table))
        {
            let why = format!("the newest {MOST_WITHOUT_INDEX} only, for want of an index");
            self.narrowed("messages", &why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_rare_depends_on_how_far_the_newest_matches_lie_apart() {
        assert!(is_rare(5_000, Some(2_500_000)), "every 500th of the newest");
        assert!(!is_rare(10_000, Some(2_500_000)), "every 250th");
        assert!(is_rare(1_500, Some(5_000)), "a small table");
        assert!(is_rare(RARE, None) && !is_rare(RARE + 1, None));
    }

    #[test]
    fn shares_of_alternatives_add_up() {
        let share = |one_in| Resolved { one_in: Some(one_in), ..Resolved::test(Filter::Deleted) };
        assert_eq!(Resolved::any(vec![share(20), share(30)]).one_in, Some(12));
        let unknown = Resolved::test(Filter::Deleted);
        assert_eq!(Resolved::any(vec![share(20), unknown]).one_in, Some(20));
    }
}
