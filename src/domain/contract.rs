//! Names of message contracts. MassTransit writes a type as `urn:message:BookWorm.Contracts:PlaceOrder`, and the
//! types of one message with `;` between them, its own first. The arguments of a generic type stand in brackets:
//! `urn:message:MassTransit:Fault[[BookWorm.Contracts:PlaceOrder]]`.

use std::borrow::Cow;

/// What every URN of a message type begins with.
pub const URN: &str = "urn:message:";

/// The message's own type: the first of its URNs.
#[must_use]
pub fn first(urns: &str) -> &str {
    urns.split(';').next().unwrap_or_default()
}

/// The types that the message can also be received as: all of its URNs but the first.
pub fn others(urns: &str) -> impl Iterator<Item = &str> {
    urns.split(';').skip(1).map(str::trim).filter(|urn| !urn.is_empty())
}

/// The type's name without its namespace: `UserCheckedOutIntegrationEvent`, `Fault[[BookWorm.Contracts:PlaceOrder]]`.
#[must_use]
pub fn name(urn: &str) -> &str {
    let plain = urn.find('[').unwrap_or(urn.len());
    urn[..plain].rfind(':').map_or(urn, |at| &urn[at + 1..])
}

/// The contract's name as people call it: `UserCheckedOut`.
#[must_use]
pub fn short(urn: &str) -> &str {
    let name = name(urn);
    name.strip_suffix("IntegrationEvent").unwrap_or(name)
}

/// The same where there is little room, so that what distinguishes two contracts is not cut off:
/// `OrderStatusChangedToCancel` is `…ChangedToCancel`.
#[must_use]
pub fn shortest(urn: &str) -> Cow<'_, str> {
    let name = short(urn);
    if name.chars().count() <= 20 {
        return Cow::Borrowed(name);
    }
    match name.strip_prefix("OrderStatus") {
        Some(rest) => Cow::Owned(format!("…{rest}")),
        None => Cow::Borrowed(name),
    }
}

/// The exchange that MassTransit publishes a type to: `BookWorm.Contracts:PlaceOrder`,
/// `MassTransit:Fault--BookWorm.Contracts:PlaceOrder--`.
#[must_use]
pub fn exchange(urn: &str) -> Option<String> {
    let name = urn.strip_prefix(URN).filter(|name| !name.is_empty())?;
    let plain = name.replace("],[", "::").replace("[[", "--").replace("]]", "--");
    Some(plain.replace('+', "-"))
}

/// The .NET type that a URN names: `BookWorm.Contracts.PlaceOrder`.
#[must_use]
pub fn type_name(urn: &str) -> Option<String> {
    let name = urn.strip_prefix(URN).filter(|name| !name.is_empty())?;
    Some(name.replacen(':', ".", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_urn_in_all_its_forms() {
        let urn = "urn:message:BookWorm.Contracts:OrderStatusChangedToCancelIntegrationEvent";
        assert_eq!(first(&format!("{urn};urn:message:A:Base")), urn);
        assert_eq!(name(urn), "OrderStatusChangedToCancelIntegrationEvent");
        assert_eq!(short(urn), "OrderStatusChangedToCancel");
        assert_eq!(shortest(urn), "…ChangedToCancel");
        assert_eq!(
            shortest("urn:message:BookWorm.Contracts:PlaceOrderCommand"),
            "PlaceOrderCommand"
        );
        let named = type_name("urn:message:BookWorm.Contracts:PlaceOrder");
        assert_eq!(named.as_deref(), Some("BookWorm.Contracts.PlaceOrder"));
        assert_eq!((type_name("urn:message:"), type_name("PlaceOrder")), (None, None));
        let fault = "urn:message:MassTransit:Fault[[BookWorm.Contracts:PlaceOrder]]";
        assert_eq!(name(fault), "Fault[[BookWorm.Contracts:PlaceOrder]]");
        assert_eq!(short(fault), "Fault[[BookWorm.Contracts:PlaceOrder]]");
        let pair = "urn:message:A.B:Pair[[C:D],[E:F]]";
        assert_eq!(
            (name(pair), type_name(pair).as_deref()),
            ("Pair[[C:D],[E:F]]", Some("A.B.Pair[[C:D],[E:F]]"))
        );
        assert_eq!(
            exchange(fault).as_deref(),
            Some("MassTransit:Fault--BookWorm.Contracts:PlaceOrder--")
        );
        assert_eq!((exchange("PlaceOrder"), exchange("urn:message:")), (None, None));
        let all = format!("{urn};urn:message:A:Base; urn:message:A:Other;");
        assert_eq!(others(&all).collect::<Vec<_>>(), ["urn:message:A:Base", "urn:message:A:Other"]);
        assert_eq!((first(""), name(""), short("x")), ("", "", "x"));
    }
}
