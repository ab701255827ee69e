//! Buyers: who they are by name or by the end of an id.

use serde::Deserialize;
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder};

use super::{
    Error, Layout, OfTable, Table,
    expressions::{BUYER_NAME, ID_TAIL},
};
use crate::domain::{id::BuyerId, order::Buyer};

#[derive(FromRow, Deserialize)]
pub(super) struct BuyerRow {
    id: BuyerId,
    name: Option<String>,
    address_street: Option<String>,
    address_city: Option<String>,
    address_province: Option<String>,
}

impl BuyerRow {
    pub(super) fn parts(self) -> (BuyerId, Buyer) {
        let buyer = Buyer {
            name: self.name,
            street: self.address_street,
            city: self.address_city,
            province: self.address_province,
        };
        (self.id, buyer)
    }
}

/// A buyer as the row has them now; `id` pushes who.
pub(super) fn push_by_id(
    sql: &mut QueryBuilder<Postgres>,
    layout: &Layout,
    id: impl FnOnce(&mut QueryBuilder<Postgres>),
) {
    sql.push(format!(
        "SELECT id, name, address_street, address_city, address_province FROM {} b WHERE id = ",
        layout.from(Table::Buyers)
    ));
    id(sql);
    sql.push(" LIMIT 1");
}

/// Buyers whose name has this part (compared without case), at most `limit`, in no order. Needs the
/// trigram index to be fast.
pub async fn by_name(
    conn: &mut PgConnection,
    layout: &Layout,
    part: &str,
    limit: i64,
) -> Result<Vec<BuyerId>, Error> {
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT id FROM {} b WHERE {BUYER_NAME} LIKE ",
        layout.from(Table::Buyers)
    ));
    sql.push_bind(name_pattern(part));
    sql.push(" LIMIT ").push_bind(limit);
    sql.build_query_scalar().fetch_all(conn).await.of(Table::Buyers.name())
}

/// Buyers whose id ends so, at most `limit`, newest first. `tail` is lower-case hexadecimal digits.
pub async fn by_tail(
    conn: &mut PgConnection,
    layout: &Layout,
    tail: &str,
    limit: i64,
) -> Result<Vec<BuyerId>, Error> {
    let reversed: String = tail.chars().rev().collect();
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT id FROM {} b WHERE {ID_TAIL} LIKE ",
        layout.from(Table::Buyers)
    ));
    sql.push_bind(format!("{reversed}%")).push(" ORDER BY id DESC LIMIT ").push_bind(limit);
    sql.build_query_scalar().fetch_all(conn).await.of(Table::Buyers.name())
}

/// These buyers, by name; ids that nobody has are left out.
pub async fn by_ids(
    conn: &mut PgConnection,
    layout: &Layout,
    ids: &[BuyerId],
) -> Result<Vec<(BuyerId, Buyer)>, Error> {
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT id, name, address_street, address_city, address_province FROM {} b WHERE id = ANY(",
        layout.from(Table::Buyers)
    ));
    sql.push_bind(ids.iter().map(|id| id.0).collect::<Vec<_>>()).push(") ORDER BY name, id");
    let rows: Vec<BuyerRow> = sql.build_query_as().fetch_all(conn).await.of(Table::Buyers.name())?;
    Ok(rows.into_iter().map(BuyerRow::parts).collect())
}

/// A pattern for a part of a name, as [`escaped`], in which an apostrophe or a hyphen stands for any such mark: names
/// are stored as a keyboard or as a telephone writes them.
pub(super) fn name_pattern(part: &str) -> String {
    format!("%{}%", escaped(part).replace(['\'', '-'], "_"))
}

/// Lower-cased, with what `LIKE` would take for a wildcard made literal.
pub(super) fn escaped(part: &str) -> String {
    let mut pattern = String::with_capacity(part.len());
    for c in part.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_letters() {
        assert_eq!(escaped("50%_Le\\"), "50\\%\\_le\\\\");
        assert_eq!(name_pattern("O'Brien-Le_"), "%o_brien_le\\_%");
    }
}
