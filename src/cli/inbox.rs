//! `orderscope inbox …`

use std::io::Write;

use serde_json::json;

use super::{
    Failure, Outcome,
    args::{Global, Inbox, InboxRows, Output},
    exit,
    messages::{code, looked, print, print_value, read, tell, told, with_broker},
    open, outbox_action,
};
use crate::{
    config::Settings,
    db,
    ops::messages::{
        self,
        list::{self, InboxView},
        report,
    },
};

pub(super) async fn run(verb: Inbox, global: &Global, settings: &Settings) -> Outcome {
    let verb = match verb {
        Inbox::OutboxAction(action) => {
            return Box::pin(outbox_action::inbox(action, global, settings)).await;
        }
        verb => verb,
    };
    let watch = open::watch(settings);
    let session = open::open(global, settings).await?;
    let layout = &session.layout;
    let done = match verb {
        // They were seen to above.
        Inbox::OutboxAction(_) => Err(Failure::usage("this verb writes")),
        Inbox::Status { output } => {
            let status = match looked(&session, &watch, "inbox status").await {
                Ok(status) => Ok(with_broker(status, settings).await),
                Err(failure) => Err(failure),
            };
            status.and_then(|mut status| {
                // What leaves, or does not, is the other verb's.
                status.findings.retain(|finding| finding.rule.is_of_inbox());
                // So is what only concerns the outboxes.
                status.coverage.retain(|one| !one.is_unknown);
                let mut unseen =
                    layout.not_looked_at(&[db::Table::InboxStates, db::Table::OutboxMessages]);
                unseen.append(&mut status.coverage);
                let table = report::consumers(&status.facts.inbox);
                if output.output == Output::Json {
                    let facts = json!({
                        "rows": table.value(),
                        "inbox": report::inbox_value(&status.facts.inbox),
                        "alert": status.is_alert(),
                        "findings": report::findings_value(&status.findings),
                        "standby": session.standby_value(),
                    });
                    print_value(facts, &unseen)?;
                } else {
                    print(table, &unseen, output.output, settings)?;
                }
                let mut err = std::io::stderr().lock();
                for finding in &status.findings {
                    writeln!(
                        err,
                        "{} {}: {}",
                        finding.severity,
                        finding.rule.name(),
                        finding.what
                    )?;
                }
                if let Some(told) = session.standby() {
                    writeln!(err, "{told}")?;
                }
                tell(&unseen)?;
                Ok(code(status.is_alert(), &unseen, exit::FOUND))
            })
        }
        Inbox::List { view, limit, output } => {
            let view = match view {
                InboxRows::All => InboxView::All,
                InboxRows::Failing => InboxView::Failing,
                InboxRows::HalfDone => InboxView::HalfDone,
                InboxRows::Duplicates => InboxView::Duplicates,
            };
            let found = read(&session, "inbox list", async |conn| {
                let view = (view, watch.thresholds.held);
                list::inbox(conn, layout, view, list::From::Newest, limit as usize).await
            });
            found.await.and_then(|page| {
                let table = |rows: &[_]| report::inbox(rows, &watch);
                told(page, limit as usize, table, output.output, settings)
            })
        }
        Inbox::Hours { output } => {
            let found =
                read(&session, "inbox hours", async |conn| messages::day(conn, layout).await);
            found.await.and_then(|day| {
                print(report::hours(&day, &watch), &day.coverage, output.output, settings)?;
                tell(&day.coverage)?;
                let sound = if day.hours.is_empty() { exit::NOTHING } else { exit::FOUND };
                Ok(code(false, &day.coverage, sound))
            })
        }
    };
    session.close().await;
    done
}
