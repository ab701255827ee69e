//! How far an operation is, and what came of it.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    error::PlanError,
    plan::PlanRequest,
    table::{Kind, Spec},
    value::Operation,
};
use crate::{
    db::audit::Recorded,
    domain::{batch::Estimate, id::Version, report::Table, text::hex},
    ops::delivery::{Hindrance, Warning},
};

/// How far an operation is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    pub done: u64,
    /// Of so many that were meant; nothing where it is not known.
    pub of: u64,
    /// What stands in its way now, a line each.
    pub hindered: Vec<Hindrance>,
    /// What nobody got, or somebody perhaps twice, so far.
    pub warnings: Vec<Warning>,
    /// Of a bulk operation: what people call it by.
    pub number: Option<i64>,
    /// How fast it goes and how long the rest takes, as far as that is known.
    pub estimate: Option<Estimate>,
}

impl Progress {
    /// What a person who waits has to know, a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let hindered = self.hindered.iter().map(ToString::to_string);
        hindered.chain(self.warnings.iter().map(ToString::to_string)).collect()
    }

    /// `6,000 a minute, 1m 40s left`
    #[must_use]
    pub fn pace(&self) -> Option<String> {
        self.estimate.map(|estimate| estimate.to_string())
    }
}

/// What was done.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The operation.
    pub id: Uuid,
    pub spec: &'static Spec,
    /// What it was about.
    pub targets: Vec<String>,
    /// Number of the audit record; none where nothing was written.
    pub audit: Option<i64>,
    /// The order's version afterwards, where it is about an order.
    pub version: Option<Version>,
    /// The same operation had been done before; nothing was written now.
    pub repeated: bool,
    /// One line: what happened and where to look.
    pub told: String,
    /// What is worth a line of its own: why something was left, what was perhaps sent twice.
    pub more: Vec<String>,
    /// Not everything that was meant was done.
    pub partly: bool,
    /// What takes it back.
    pub reverse: Option<Operation>,
    /// What became of each message, or the figures of a delivery.
    pub items: Option<Table>,
}

impl Outcome {
    /// Everything was done.
    pub(crate) fn new(request: &PlanRequest, audit: Option<i64>, told: String) -> Self {
        Self {
            id: request.id,
            spec: request.spec(),
            targets: request.operation.targets(),
            audit,
            version: None,
            repeated: false,
            told,
            more: vec![],
            partly: false,
            reverse: None,
            items: None,
        }
    }
}

/// Where a record keeps what was asked for.
pub const CONTENT: &str = "asked";

/// The first answer to an operation that is on record, or that its id meant something else.
///
/// The same operation is one of the same name about the same thing. What makes something new is about the same thing
/// whatever id was drawn for it this time.
pub fn repeated(request: &PlanRequest, recorded: &Recorded) -> Result<Outcome, PlanError> {
    let (spec, targets) = (request.spec(), request.operation.targets());
    let draws_id = matches!(spec.kind, Kind::CreateOrder | Kind::CreateBuyer);
    let same_target = draws_id || targets.first() == recorded.targets.first();
    if recorded.intent != spec.name || !same_target {
        let was = format!("{} of {}", recorded.intent, recorded.targets.join(", "));
        return Err(PlanError::Reused { id: request.id, was });
    }
    let after = recorded.after.as_ref();
    // Older records do not keep it, and it may be erased.
    let asked: Option<BTreeMap<String, String>> = after
        .and_then(|after| after.get(CONTENT))
        .and_then(|asked| serde_json::from_value(asked.clone()).ok());
    let content = asked_for(request);
    if let Some(asked) = asked.filter(|asked| *asked != content) {
        let names: BTreeSet<_> = asked.keys().chain(content.keys()).collect();
        let differ = names.into_iter().filter(|name| asked.get(*name) != content.get(*name));
        let other = differ.cloned().collect::<Vec<_>>().join(", ");
        let was =
            format!("{} of {} with other {other}", recorded.intent, recorded.targets.join(", "));
        return Err(PlanError::Reused { id: request.id, was });
    }
    let told = after.and_then(|after| after.get("told")?.as_str());
    let reverse = after.and_then(|after| request.operation.recorded_reverse(after));
    Ok(Outcome {
        targets: recorded.targets.clone(),
        version: after.and_then(|after| after.get("version")?.as_i64()).map(Version),
        repeated: true,
        reverse,
        ..Outcome::new(
            request,
            Some(recorded.number),
            told.unwrap_or("done before; its record says no more").to_owned(),
        )
    })
}

/// What a request says, option by option, as hashes: values may be personal, and nobody has to read them here.
pub fn asked_for(request: &PlanRequest) -> BTreeMap<String, String> {
    let mut hashes: BTreeMap<String, Sha256> = BTreeMap::new();
    let mut option = "content".to_owned();
    for word in request.operation.content() {
        if word.starts_with("--") {
            option.clone_from(&word);
        }
        let hash =
            hashes.entry(option.clone()).or_insert_with(|| Sha256::new_with_prefix(request.id));
        hash.update(format!("{} {word}", word.len()));
    }
    hashes.into_iter().map(|(option, hash)| (option, hex(&hash.finalize()))).collect()
}
