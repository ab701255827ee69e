//! Orders, their lines and their buyers.

use super::{Bound, Field, Place, Seen, Tx, must};
use crate::{
    db::{Error, Table},
    domain::{
        id::BuyerId,
        order::{Buyer, Order, Status},
    },
};

impl<'a> Tx<'a> {
    /// Adds the row of an order. Both times are given: the columns' defaults follow the session's time zone.
    pub fn add_order(&mut self, order: &Order) -> Result<Place, Error> {
        let row = vec![
            must("id", Bound::Id(Some(order.id.0))),
            must("status", self.status(order.status, None)?),
            must("note", Bound::Text(order.note.as_deref())),
            must("buyer_id", Bound::Id(order.buyer_id.map(|id| id.0))),
            must("is_deleted", Bound::Flag(order.is_deleted)),
            must("created_at", Bound::At(order.created_at)),
            must("last_modified_at", Bound::At(order.last_modified_at)),
        ];
        self.insert(Table::Orders, &[row])
    }

    /// Adds the lines of an order.
    pub fn add_lines(&mut self, order: &Order) -> Result<Place, Error> {
        let rows: Vec<Vec<Field<'_>>> = order
            .lines
            .iter()
            .map(|line| {
                // Decided to fit; a quantity that does not would be refused by the column.
                let quantity = i32::try_from(line.quantity).unwrap_or(i32::MAX);
                vec![
                    must("id", Bound::Id(Some(line.id.0))),
                    must("quantity", Bound::Int(quantity)),
                    must("price", Bound::Amount(line.price)),
                    must("book_id", Bound::Id(Some(line.book.0))),
                    must("order_id", Bound::Id(Some(order.id.0))),
                ]
            })
            .collect();
        self.insert(Table::OrderItems, &rows)
    }

    /// Gives an order another status, if it still has the one it had. No row if it has not. `seen`: its row as it was.
    pub fn set_status(
        &mut self,
        order: &Order,
        was: Status,
        seen: Option<&Seen>,
    ) -> Result<Place, Error> {
        let stored = self
            .layout
            .column(Table::Orders, "status")
            .and_then(|name| seen?.row.get(name)?.as_str());
        let key = [
            must("id", Bound::Id(Some(order.id.0))),
            must("status", self.status(was, stored)?),
            must("is_deleted", Bound::Flag(false)),
        ];
        let changes = [
            must("status", self.status(order.status, stored)?),
            must("last_modified_at", Bound::At(order.last_modified_at)),
        ];
        self.update(Table::Orders, &key, &changes)
    }

    /// A status as its column has it: a number, or a name in the letters of the one that is `stored`.
    fn status(&self, status: Status, stored: Option<&str>) -> Result<Bound<'a>, Error> {
        let Some(kind) = self.layout.status_type() else {
            return Ok(Bound::Small(status.number()));
        };
        let name = stored.and_then(|stored| status.written_like(stored));
        name.map(|name| Bound::Named(name, kind)).ok_or_else(|| {
            Error::row(
                "orders",
                "status",
                &status.to_string(),
                "how it is written cannot be told from a row",
            )
        })
    }

    /// Deletes or restores an order, if it is not so already. No row if it is.
    pub fn set_deleted(&mut self, order: &Order) -> Result<Place, Error> {
        let key = [
            must("id", Bound::Id(Some(order.id.0))),
            must("is_deleted", Bound::Flag(!order.is_deleted)),
        ];
        let changes = [
            must("is_deleted", Bound::Flag(order.is_deleted)),
            must("last_modified_at", Bound::At(order.last_modified_at)),
        ];
        self.update(Table::Orders, &key, &changes)
    }

    /// Adds a buyer.
    pub fn add_buyer(&mut self, id: BuyerId, buyer: &Buyer) -> Result<Place, Error> {
        let mut row = vec![
            must("id", Bound::Id(Some(id.0))),
            must("name", Bound::Text(buyer.name.as_deref())),
        ];
        row.extend(address(buyer));
        self.insert(Table::Buyers, &[row])
    }

    /// Gives a buyer another address. No row if there is no such buyer.
    pub fn set_address(&mut self, id: BuyerId, buyer: &Buyer) -> Result<Place, Error> {
        let key = [must("id", Bound::Id(Some(id.0)))];
        self.update(Table::Buyers, &key, &address(buyer))
    }
}

fn address(buyer: &Buyer) -> [Field<'_>; 3] {
    [
        must("address_street", Bound::Text(buyer.street.as_deref())),
        must("address_city", Bound::Text(buyer.city.as_deref())),
        must("address_province", Bound::Text(buyer.province.as_deref())),
    ]
}
