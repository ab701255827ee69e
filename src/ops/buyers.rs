//! Buyers, for whoever is to choose one.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    db::{Error, Layout, buyers},
    domain::{id::BuyerId, order::Buyer, typed},
};

/// The most that are offered.
pub const MOST: i64 = 8;
/// Fewer digits are no end of an id worth looking for.
const SHORTEST_TAIL: usize = 3;

/// A buyer that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundBuyer {
    pub id: BuyerId,
    pub buyer: Buyer,
}

/// Buyers whose id is this or ends so, and those whose name has this part, at most [`MOST`] of each.
pub async fn find(
    conn: &mut PgConnection,
    layout: &Layout,
    text: &str,
) -> Result<Vec<FoundBuyer>, Error> {
    let plain = typed::plain(text);
    let text = plain.trim();
    let digits = text.trim_start_matches('…').replace('-', "").to_lowercase();
    let mut ids = vec![];
    if let Ok(id) = Uuid::try_parse(text) {
        ids.push(BuyerId(id));
    } else {
        let is_tail =
            digits.len() >= SHORTEST_TAIL && digits.chars().all(|c| c.is_ascii_hexdigit());
        if is_tail {
            ids = buyers::by_tail(conn, layout, &digits, MOST).await?;
        }
        ids.extend(buyers::by_name(conn, layout, text, MOST).await?);
    }
    let found = buyers::by_ids(conn, layout, &ids).await?;
    Ok(found.into_iter().map(|(id, buyer)| FoundBuyer { id, buyer }).collect())
}
