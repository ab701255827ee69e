//! Orders, their lines and their buyers.

use serde_json::Value;

use super::{Bound, Field, Tx, must};
use crate::{
    db::{Error, Table},
    domain::{
        id::BuyerId,
        order::{Buyer, Order, Status},
    },
};

impl Tx<'_> {
    /// Adds the row of an order. Both times are given: the columns' defaults follow the session's time zone.
    pub async fn add_order(&mut self, order: &Order) -> Result<Option<Value>, Error> {
        let row = vec![
            must("id", Bound::Id(Some(order.id.0))),
            must("status", Bound::Small(order.status.number())),
            must("note", Bound::Text(order.note.as_deref())),
            must("buyer_id", Bound::Id(order.buyer_id.map(|id| id.0))),
            must("is_deleted", Bound::Flag(order.is_deleted)),
            must("created_at", Bound::At(order.created_at)),
            must("last_modified_at", Bound::At(order.last_modified_at)),
        ];
        Ok(self.insert(Table::Orders, &[row]).await?.pop())
    }

    /// Adds the lines of an order.
    pub async fn add_lines(&mut self, order: &Order) -> Result<Vec<Value>, Error> {
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
        self.insert(Table::OrderItems, &rows).await
    }

    /// Gives an order another status, if it still has the one it had. None if it has not.
    pub async fn set_status(&mut self, order: &Order, was: Status) -> Result<Option<Value>, Error> {
        let key = [
            must("id", Bound::Id(Some(order.id.0))),
            must("status", Bound::Small(was.number())),
            must("is_deleted", Bound::Flag(false)),
        ];
        let changes = [
            must("status", Bound::Small(order.status.number())),
            must("last_modified_at", Bound::At(order.last_modified_at)),
        ];
        Ok(self.update(Table::Orders, &key, &changes).await?.pop())
    }

    /// Deletes or restores an order, if it is not so already. None if it is.
    pub async fn set_deleted(&mut self, order: &Order) -> Result<Option<Value>, Error> {
        let key = [
            must("id", Bound::Id(Some(order.id.0))),
            must("is_deleted", Bound::Flag(!order.is_deleted)),
        ];
        let changes = [
            must("is_deleted", Bound::Flag(order.is_deleted)),
            must("last_modified_at", Bound::At(order.last_modified_at)),
        ];
        Ok(self.update(Table::Orders, &key, &changes).await?.pop())
    }

    /// Adds a buyer.
    pub async fn add_buyer(&mut self, id: BuyerId, buyer: &Buyer) -> Result<Option<Value>, Error> {
        let mut row = vec![
            must("id", Bound::Id(Some(id.0))),
            must("name", Bound::Text(buyer.name.as_deref())),
        ];
        row.extend(address(buyer));
        Ok(self.insert(Table::Buyers, &[row]).await?.pop())
    }

    /// Gives a buyer another address. None if there is no such buyer.
    pub async fn set_address(
        &mut self,
        id: BuyerId,
        buyer: &Buyer,
    ) -> Result<Option<Value>, Error> {
        let key = [must("id", Bound::Id(Some(id.0)))];
        Ok(self.update(Table::Buyers, &key, &address(buyer)).await?.pop())
    }
}

fn address(buyer: &Buyer) -> [Field<'_>; 3] {
    [
        must("address_street", Bound::Text(buyer.street.as_deref())),
        must("address_city", Bound::Text(buyer.city.as_deref())),
        must("address_province", Bound::Text(buyer.province.as_deref())),
    ]
}
