//! What a bulk operation would do: exact counts, and a few items tried out in a transaction that is rolled back.

use std::num::NonZeroU32;

use serde_json::Value;
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Batch, BatchKind, Context, Error, Ran, permitted};
use crate::{
    db::{
        self,
        operations::{self, Cursor, Item, Page},
        write::{Opening, Tx, lacking},
    },
    domain::{batch::Outcome, diagnosis::thousands},
    ops::{
        command::{check, quoted},
        plan::{Check, Verdict},
    },
};

/// Items of one operation, at most: what is more is left to the next one.
pub(super) const MOST: u64 = 1_000_000;
/// Items that are counted or frozen by one statement; smaller where that takes too long.
pub(super) const PAGE: u64 = 10_000;
/// Items that are tried out.
const SAMPLE: u64 = 25;

/// What someone wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// The operation's id; the same one is done once, however often it is asked for.
    pub id: Uuid,
    pub reason: Option<&'a str>,
    /// Items a second, at most.
    pub rate: Option<NonZeroU32>,
}

/// What it would come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub id: Uuid,
    pub name: &'static str,
    pub title: String,
    pub parameters: Value,
    pub reason: Option<String>,
    pub rate: Option<NonZeroU32>,
    /// Items that are selected now: these and no others are done.
    pub items: u64,
    /// There are more, which one operation does not take.
    pub cut: bool,
    pub checks: Vec<Check>,
    /// Tables, and what would happen to them.
    pub effects: Vec<(&'static str, String)>,
    /// The first items, and what would become of them now.
    pub sample: Vec<(Value, Outcome)>,
    /// It has more items than this, so that a second person has to approve it.
    pub approve_above: Option<u64>,
    /// One sentence.
    pub undo: &'static str,
    /// The command line that does the same.
    pub cli_equivalent: String,
    /// Typed to run it.
    pub word: &'static str,
    /// What is sent to the server for the sample, values filled in.
    pub statements: Vec<String>,
}

impl Plan {
    /// Whether a check forbids running it.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.checks.iter().any(|check| check.verdict == Verdict::Blocking)
    }
}

/// Counts and tries out. Nothing is written.
///
/// # Errors
/// When it is not permitted, a rule forbids it, or nothing is selected.
pub async fn plan(
    context: &Context<'_>,
    kind: &dyn BatchKind,
    request: &Request<'_>,
    stop: &CancellationToken,
) -> Result<Plan, Error> {
    let writer = context.writer;
    permitted(writer, kind.name())?;
    kind.allowed((context.clock)())?;
    let mut checks = rights(context, kind, stop).await?;
    let (items, cut) = count(context, kind, stop).await?;
    if items == 0 {
        return Err(Error::Nothing);
    }
    let blocked = checks.iter().any(|check| check.verdict == Verdict::Blocking);
    let (sample, statements) =
        if blocked { (vec![], vec![]) } else { try_out(context, kind, request.id, stop).await? };
    checks.extend(kind.notes(&writer.layout));
    checks.push(check(Verdict::Ok, selected(items, cut)));
    let skipped = sample.iter().filter(|(_, outcome)| *outcome != Outcome::Done);
    if let Some((_, first)) = skipped.clone().next() {
        let text = format!(
            "of the first {}, {} would not be done now: {}",
            sample.len(),
            skipped.count(),
            first.told().unwrap_or_default()
        );
        checks.push(check(Verdict::Warn, text));
    }
    let approve_above = writer.policy.approve_above.filter(|most| items > *most);
    if let Some(most) = approve_above {
        let text = format!(
            "more than {} items: a second person approves it first, with another database login",
            shown(most)
        );
        checks.push(check(Verdict::Warn, text));
    }
    let described = kind.describe();
    let mut line = format!("orderscope {}", described.command);
    if let Some(rate) = request.rate {
        line += &format!(" --rate {rate}");
    }
    if let Some(reason) = request.reason {
        line += &format!(" --reason {}", quoted(reason));
    }
    line += &if writer.policy.typed {
        format!(" --confirm {}", quoted(&writer.policy.phrase(described.word)))
    } else {
        " --yes".to_owned()
    };
    Ok(Plan {
        id: request.id,
        name: kind.name(),
        title: described.title,
        parameters: kind.parameters(),
        reason: request.reason.map(ToOwned::to_owned),
        rate: request.rate,
        items,
        cut,
        checks,
        effects: kind.effects(items),
        sample,
        approve_above,
        undo: described.undo,
        cli_equivalent: line,
        word: described.word,
        statements,
    })
}

fn shown(count: u64) -> String {
    thousands(i64::try_from(count).unwrap_or(i64::MAX))
}

fn selected(items: u64, cut: bool) -> String {
    let which = if cut { "the oldest " } else { "" };
    format!(
        "{which}{} items are listed when it starts and no others are done, in batches of 1, 5, 25 and then more, each \
         verified",
        shown(items)
    )
}

/// Everything that this login lacks; nothing of it is found out in the middle.
pub(super) async fn rights(
    context: &Context<'_>,
    kind: &dyn BatchKind,
    stop: &CancellationToken,
) -> Result<Vec<Check>, Error> {
    let writer = context.writer;
    let needs = kind.needs();
    let asked = writer.db.read("operation", stop, async |conn| {
        if !operations::is_known(conn).await? {
            return Ok(None);
        }
        let mut missing = operations::lacking(conn).await?;
        missing.extend(lacking(conn, &writer.layout, &needs).await?);
        Ok(Some(missing))
    });
    let Some(missing) = asked.await? else {
        let old = "schema orderscope is older than this program: `orderscope attach` (or `migrate`, where the \
                   database is Orderscope's own) brings it up to date";
        return Ok(vec![check(Verdict::Blocking, old)]);
    };
    let lacks = |what| check(Verdict::Blocking, format!("this login lacks {what}: ask for it"));
    Ok(missing.into_iter().map(lacks).collect())
}

/// All items that are selected, in short statements; whether there are more than one operation takes.
async fn count(
    context: &Context<'_>,
    kind: &dyn BatchKind,
    stop: &CancellationToken,
) -> Result<(u64, bool), Error> {
    let writer = context.writer;
    let (mut items, mut after, mut size) = (0, None::<Cursor>, PAGE);
    while items < MOST {
        let limit = size.min(MOST - items);
        let page = writer.db.read("operation", stop, async |conn| {
            Ok(kind.page(conn, &writer.layout, after.as_ref(), limit, None).await)
        });
        let Page { rows, next } = match page.await? {
            Ok(page) => page,
            Err(error) => {
                size = smaller_page(size, error)?;
                continue;
            }
        };
        items += rows;
        if next.is_none() || rows < limit {
            return Ok((items, false));
        }
        after = next;
    }
    Ok((items, true))
}

/// The size of the next try of a page that took too long.
pub(super) fn smaller_page(size: u64, error: Error) -> Result<u64, Error> {
    match error.database() {
        Some(db::Error::TimedOut(_)) if size > 100 => Ok(size / 4),
        _ => Err(error),
    }
}

/// Does the first items and rolls back.
async fn try_out(
    context: &Context<'_>,
    kind: &dyn BatchKind,
    id: Uuid,
    stop: &CancellationToken,
) -> Result<(Vec<(Value, Outcome)>, Vec<String>), Error> {
    let writer = context.writer;
    let tried = writer
        .db
        .ask(&writer.pool, "plan", stop, async |conn| Ok(rehearse(context, kind, id, conn).await));
    let (items, ran, statements) = tried.await??;
    let keys = items.into_iter().map(|item| item.key);
    Ok((keys.zip(ran.outcomes).collect(), statements))
}

async fn rehearse(
    context: &Context<'_>,
    kind: &dyn BatchKind,
    id: Uuid,
    conn: &mut PgConnection,
) -> Result<(Vec<Item>, Ran, Vec<String>), Error> {
    let writer = context.writer;
    let keys = kind.first(conn, &writer.layout, SAMPLE).await?;
    let items: Vec<_> = (1..).zip(keys).map(|(ordinal, key)| Item { ordinal, key }).collect();
    let within = Some(writer.pool.planning_limit());
    let mut tx = Tx::begin(conn, &writer.layout, &Opening { within, ..Opening::of(id) }).await?;
    let batch = Batch { operation: id, items: &items, rows: SAMPLE * 4, dry: true };
    let ran = kind.run(&mut tx, &batch).await;
    let statements = tx.said().to_vec();
    tx.rollback().await;
    Ok((items, ran?, statements))
}
