//! Orders with their buyer and lines, one at a time. Lists are the search's.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Error, Layout, OfTable, Table, sql::moment};
use crate::domain::{
    id::{BookId, BuyerId, LineId, OrderId},
    order::{Buyer, Line, Order, Status},
    text,
};

/// The most lines of one order that are read.
const MOST_LINES: i64 = 10_000;

#[derive(FromRow, Deserialize)]
pub(super) struct OrderRow {
    id: OrderId,
    status: i64,
    note: Option<String>,
    buyer_id: BuyerId,
    is_deleted: bool,
    created_at: DateTime<Utc>,
    last_modified_at: Option<DateTime<Utc>>,
    known_buyer: bool,
    name: Option<String>,
    address_street: Option<String>,
    address_city: Option<String>,
    address_province: Option<String>,
}

#[derive(FromRow, Deserialize)]
pub(super) struct LineRow {
    id: LineId,
    book_id: BookId,
    quantity: Option<i32>,
    price: Option<String>,
}

/// The order as its rows have it now: `orders`, `buyers`, `order_items` (two statements). Its total is the
/// sum of its lines.
pub async fn by_id(
    conn: &mut PgConnection,
    layout: &Layout,
    id: OrderId,
) -> Result<Option<Order>, Error> {
    let mut sql = QueryBuilder::<Postgres>::new("");
    push_by_id(&mut sql, layout, id);
    let Some(row): Option<OrderRow> =
        sql.build_query_as().fetch_optional(&mut *conn).await.of(Table::Orders.name())?
    else {
        return Ok(None);
    };
    let mut sql = QueryBuilder::<Postgres>::new("");
    push_lines(&mut sql, layout, id);
    let lines = sql.build_query_as().fetch_all(conn).await.of(Table::OrderItems.name())?;
    Ok(Some(row.with(lines, layout)))
}

pub(super) fn push_by_id(sql: &mut QueryBuilder<Postgres>, layout: &Layout, id: OrderId) {
    sql.push(format!(
        "SELECT o.id, o.status::bigint AS status, o.note, o.buyer_id, o.is_deleted, {} AS created_at, \
         {} AS last_modified_at, b.id IS NOT NULL AS known_buyer, b.name, b.address_street, \
         b.address_city, b.address_province \
         FROM {} o LEFT JOIN {} b ON b.id = o.buyer_id WHERE o.id = ",
        moment("o.created_at"),
        moment("o.last_modified_at"),
        layout.from(Table::Orders),
        layout.from(Table::Buyers),
    ));
    sql.push_bind(id).push(" LIMIT 1");
}

/// In the order they were placed (by id).
pub(super) fn push_lines(sql: &mut QueryBuilder<Postgres>, layout: &Layout, id: OrderId) {
    sql.push(format!(
        "SELECT i.id, i.book_id, i.quantity, i.price::text AS price FROM {} i WHERE i.order_id = ",
        layout.from(Table::OrderItems),
    ));
    sql.push_bind(id).push(format!(" ORDER BY i.id LIMIT {MOST_LINES}"));
}

/// Orders whose id ends so, newest first by the id's clock, at most `limit`. `tail` is lower-case
/// hexadecimal digits. Without the index on tails it reads orders until the statement's time is over.
pub async fn by_tail(
    conn: &mut PgConnection,
    layout: &Layout,
    tail: &str,
    limit: i64,
) -> Result<Vec<OrderId>, Error> {
    let reversed: String = tail.chars().rev().collect();
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT id FROM {} o WHERE {} LIKE ",
        layout.from(Table::Orders),
        super::expressions::ID_TAIL,
    ));
    sql.push_bind(format!("{reversed}%")).push(" ORDER BY id DESC LIMIT ").push_bind(limit);
    sql.build_query_scalar().fetch_all(conn).await.of(Table::Orders.name())
}

/// Whether the order exists, and when its row says it was made.
pub async fn created_at(
    conn: &mut PgConnection,
    layout: &Layout,
    id: Uuid,
) -> Result<Option<DateTime<Utc>>, Error> {
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT {} FROM {} o WHERE o.id = ",
        moment("o.created_at"),
        layout.from(Table::Orders),
    ));
    sql.push_bind(id).push(" LIMIT 1");
    sql.build_query_scalar().fetch_optional(conn).await.of(Table::Orders.name())
}

impl OrderRow {
    pub(super) fn with(self, rows: Vec<LineRow>, layout: &Layout) -> Order {
        let unseen = layout.not_looked_at(&[Table::OrderItems]);
        let mut unread: Vec<_> = unseen.into_iter().map(|table| table.why).collect();
        let mut lines = Vec::with_capacity(rows.len());
        for row in rows {
            match row.line() {
                Ok(line) => lines.push(line),
                Err(why) => unread.push(why),
            }
        }
        let total = lines
            .iter()
            .map(|line| line.price.saturating_mul(Decimal::from(line.quantity)))
            .fold(Decimal::ZERO, Decimal::saturating_add);
        Order {
            id: self.id,
            status: Status::from_wide(self.status),
            note: self.note,
            buyer_id: Some(self.buyer_id),
            buyer: self.known_buyer.then_some(Buyer {
                name: self.name,
                street: self.address_street,
                city: self.address_city,
                province: self.address_province,
            }),
            lines,
            total,
            is_deleted: self.is_deleted,
            created_at: Some(self.created_at),
            last_modified_at: self.last_modified_at,
            cancel_reason: None,
            unread: (!unread.is_empty()).then(|| unread.join("; ")),
        }
    }
}

impl LineRow {
    /// The line, or what of it cannot be read.
    fn line(self) -> Result<Line, String> {
        let what = |column: &str, value: &str| {
            format!("{column} {value} of line {} cannot be read", self.id.short())
        };
        let quantity = self.quantity.ok_or_else(|| what("the quantity", "(beyond 32 bits)"))?;
        let price = self.price.as_deref().ok_or_else(|| what("the price", "(no number)"))?;
        let price = price.parse().map_err(|_| what("the price", &text::cut(price, 20)))?;
        Ok(Line { id: self.id, book: self.book_id, quantity: i64::from(quantity), price })
    }
}
