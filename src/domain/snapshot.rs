//! Snapshots of long histories, as we keep them in `mt_streams.snapshot`. Marten neither writes
//! nor reads that column, so the shape is ours.

use std::sync::Arc;

use serde_json::{Value, json};

use super::body::{image, order_json};
use super::fold::{Doubt, State, overlay};
use super::id::Version;

/// A new one is due after this many events.
pub const EVERY: i64 = 20;

/// The state after a version of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// `mt_streams.snapshot_version`: the last event it covers.
    pub version: Version,
    pub state: State,
}

/// Why a snapshot cannot be used. The events are still there: fold them all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the snapshot is not used: {0}")]
pub struct Unfit(pub String);

impl Snapshot {
    /// What goes into the column.
    #[must_use]
    pub fn write(&self) -> Value {
        let order = self.state.order();
        json!({
            "Order": order.map(order_json),
            "CancelReason": order.and_then(|order| order.cancel_reason.as_deref()),
            "Uncertain": self.state.uncertain.as_ref().map(|doubt| json!({
                "Version": doubt.version,
                "Why": doubt.why,
            })),
        })
    }

    /// Reads the two columns. Nothing in them is trusted: anything unexpected makes the snapshot unusable.
    pub fn read(version: Version, column: &Value) -> Result<Self, Unfit> {
        let unfit = |why: &str| Unfit(why.to_owned());
        // A bare order, as demo data has it, is a snapshot as well: certain, without a cancel reason.
        let bare = column.get("Id").map(|_| column);
        let order = match column.get("Order").or(bare) {
            None => return Err(unfit("it is not of our making")),
            Some(Value::Null) => None,
            Some(Value::Object(fields)) => {
                let mut doubts = Vec::new();
                let image = image(fields, &mut doubts).map_err(unfit)?;
                if let Some(doubt) = doubts.first() {
                    return Err(unfit(doubt));
                }
                if image.status.is_none() || image.lines.is_none() || image.total.is_none() {
                    return Err(unfit("its order lacks status, items or total"));
                }
                let mut order = overlay(None, &image);
                order.cancel_reason =
                    column.get("CancelReason").and_then(Value::as_str).map(ToOwned::to_owned);
                Some(Arc::new(order))
            }
            Some(_) => return Err(unfit("its Order is not an object")),
        };
        let uncertain = match column.get("Uncertain") {
            None | Some(Value::Null) => None,
            Some(doubt) => {
                let version = doubt.get("Version").and_then(Value::as_i64);
                let why = doubt.get("Why").and_then(Value::as_str);
                let (version, why) =
                    version.zip(why).ok_or_else(|| unfit("its doubt is garbled"))?;
                Some(Doubt { version: Version(version), why: why.to_owned() })
            }
        };
        Ok(Self { version, state: State { order, uncertain } })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::samples;

    #[test]
    fn what_is_not_ours_is_not_used() {
        let read = |column| Snapshot::read(Version(20), &column).unwrap_err().to_string();
        assert!(read(json!({"Total": 1})).contains("not of our making"));
        assert!(read(json!({"Id": 1})).contains("no readable Id"));
        assert!(read(json!({"Order": 5})).contains("not an object"));
        assert!(read(json!({"Order": {"Id": 5}})).contains("no readable Id"));
        let mut column = Snapshot { version: Version(20), state: samples::state() }.write();
        column["Order"]["TotalPrice"] = json!("much");
        assert!(read(column).contains("TotalPrice"));
    }

    #[test]
    fn an_order_by_itself_is_a_snapshot() {
        let found = Snapshot::read(Version(20), &order_json(&samples::order())).unwrap();
        assert_eq!(found.state, samples::state());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            order in samples::any_order(),
            doubt in any::<Option<u8>>(),
        ) {
            let uncertain = doubt.map(|version| Doubt {
                version: Version(version.into()),
                why: "it is unknown".to_owned(),
            });
            let state = State { order: Some(Arc::new(order)), uncertain };
            let snapshot = Snapshot { version: Version(20), state };
            let column = serde_json::from_str(&snapshot.write().to_string()).unwrap();
            prop_assert_eq!(Snapshot::read(Version(20), &column), Ok(snapshot));
        }
    }
}
