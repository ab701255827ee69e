//! A plan as people and programs read it: the card of the console in 80 columns, JSON, or rows.

use std::io::Write;

use serde_json::{Value, json};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::{
    domain::{
        mask,
        report::{Cell, Form, Table, json_answer, print_json},
        text,
    },
    ops::operation::{Context, Plan},
};

/// Columns of the card, its frame included.
const WIDTH: usize = 80;
/// Columns between the frame and its blanks.
const INSIDE: usize = WIDTH - 4;

/// Shows it to whoever is asked: without the list, which may be longer than a screen.
pub(super) fn ask(plan: &Plan, ctx: &Context<'_>, out: &mut impl Write) -> std::io::Result<()> {
    let mut card = card(plan, ctx);
    let count = plan.listed.len();
    if count > 0 {
        line(&mut card, "", &format!("--dry-run lists the {count} {}", plan.spec().steps.listed()));
    }
    write!(out, "{card}{}", bottom())
}

/// Prints it in the form asked for, all of it.
pub(super) fn print(
    plan: &Plan,
    ctx: &Context<'_>,
    form: Form,
    out: &mut impl Write,
) -> std::io::Result<()> {
    match form {
        Form::Table | Form::Markdown => {
            write!(out, "{}{}{}", card(plan, ctx), list(plan), bottom())
        }
        Form::Json => print_json(&json_answer(value(plan), &[]), out),
        Form::Csv => rows(plan).print(form, &[], out),
    }
}

fn card(plan: &Plan, ctx: &Context<'_>) -> String {
    let title = format!("─ PLAN  {} ", text::cut(&text::clean(&plan.title), WIDTH - 32));
    let tail = " (nothing has run) ─";
    let gap = WIDTH.saturating_sub(2 + title.width() + tail.width());
    let mut out = format!("┌{title}{}{tail}┐\n", "─".repeat(gap));
    let (operator, policy) = (ctx.operator(), ctx.policy());
    let prod = if policy.production { "PROD " } else { "" };
    line(&mut out, "command   ", plan.spec().name);
    line(&mut out, "target    ", &format!("{prod}{} {}", policy.context, ctx.place()));
    line(
        &mut out,
        "you       ",
        &format!("{}@{} ({})", operator.name, operator.host, operator.role),
    );
    line(&mut out, "reason    ", plan.request.why().unwrap_or("none given"));
    line(&mut out, "", "preconditions");
    for check in &plan.checks {
        line(&mut out, &format!("  {:<6}", check.verdict.name()), &check.text);
    }
    line(&mut out, "", plan.would());
    for effect in &plan.effects {
        line(&mut out, &format!("  {:<18} ", effect.place), &effect.change);
    }
    line(&mut out, "undo      ", plan.undo());
    line(&mut out, "to type   ", &plan.confirmation.phrase);
    line(&mut out, "same as   ", &plan.cli_equivalent);
    out
}

fn bottom() -> String {
    format!("└{}┘\n", "─".repeat(WIDTH - 2))
}

/// Statements or messages, in their order.
fn list(plan: &Plan) -> String {
    let mut out = String::new();
    let listed = plan.shown(true);
    if !listed.is_empty() {
        let heading = format!("{}, in this order", plan.spec().steps.listed());
        line(&mut out, "", &heading);
    }
    for one in listed {
        for (at, part) in one.to_string().lines().enumerate() {
            line(&mut out, if at == 0 { "  " } else { "    " }, part);
        }
    }
    out
}

/// A labelled text, wrapped under itself.
fn line(out: &mut String, label: &str, value: &str) {
    let room = INSIDE - label.width();
    for (index, part) in wrapped(&text::clean(value), room).into_iter().enumerate() {
        let label = if index == 0 { label.to_owned() } else { " ".repeat(label.width()) };
        let gap = " ".repeat(room.saturating_sub(part.width()));
        out.extend(["│ ", &label, &part, &gap, " │\n"]);
    }
}

/// Lines of at most `width` columns, broken at blanks where there are any.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last().map_or(0, |line| line.width());
        if last > 0 && last + 1 + word.width() <= width {
            push(&mut lines, ' ');
        } else if last > 0 {
            lines.push(String::new());
        }
        for c in word.chars() {
            let last = lines.last().map_or(0, |line| line.width());
            if last + c.width().unwrap_or(0) > width {
                lines.push(String::new());
            }
            push(&mut lines, c);
        }
    }
    lines
}

fn push(lines: &mut [String], c: char) {
    if let Some(line) = lines.last_mut() {
        line.push(c);
    }
}

/// Personal values are covered, as everywhere.
fn value(plan: &Plan) -> Value {
    let masked = |value: &Option<Value>| {
        let mut value = value.clone().unwrap_or(Value::Null);
        opened(&mut value);
        mask::mask_json(&mut value);
        value
    };
    let checks = plan
        .checks
        .iter()
        .map(|check| json!({ "verdict": check.verdict.name(), "text": check.text }));
    let effects = plan.effects.iter().map(|effect| {
        json!({
            "place": effect.place,
            "change": effect.change,
            "before": masked(&effect.before),
            "after": masked(&effect.after),
        })
    });
    let listed = plan.shown(true);
    let listed = listed.iter().map(|one| json!({ "key": one.key, "text": one.text }));
    json!({
        "plan": plan.title,
        "command": plan.spec().name,
        "operation": plan.request.id,
        "made_at": plan.made_at,
        "blocked": plan.is_blocked(),
        "checks": checks.collect::<Vec<_>>(),
        "effects": effects.collect::<Vec<_>>(),
        "listed": listed.collect::<Vec<_>>(),
        "undo": plan.undo(),
        "word": plan.confirmation.phrase,
        "cli_equivalent": plan.cli_equivalent,
    })
}

/// Texts that hold JSON, as bodies of messages do, become what they hold: personal values have keys then.
fn opened(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(opened),
        Value::Array(values) => values.iter_mut().for_each(opened),
        Value::String(text) if text.starts_with(['{', '[']) => {
            if let Ok(held) = serde_json::from_str(text) {
                *value = held;
                opened(value);
            }
        }
        _ => {}
    }
}

fn rows(plan: &Plan) -> Table {
    let row = |kind: &str, name: &str, text: &str| {
        [kind, name, text].map(|cell| Cell::Text(cell.to_owned())).to_vec()
    };
    let mut rows = vec![row("plan", plan.spec().name, &plan.title)];
    let checks = plan.checks.iter();
    rows.extend(checks.map(|check| row("check", check.verdict.name(), &check.text)));
    rows.extend(plan.effects.iter().map(|effect| row("effect", &effect.place, &effect.change)));
    rows.extend(plan.shown(true).iter().map(|one| row("listed", &one.key, &one.text)));
    rows.push(row("undo", "", plan.undo()));
    rows.push(row("word", "", &plan.confirmation.phrase));
    rows.push(row("cli_equivalent", "", &plan.cli_equivalent));
    Table { columns: vec!["kind", "name", "text"], rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_within_its_columns_and_loses_nothing() {
        let text = "khách đổi ý 注文 取り消し --reason 'x' 0199a3f2-7c1e-7b40-9d2a-5e0c4b1f8c41";
        for width in 2..60 {
            let lines = wrapped(text, width);
            assert!(lines.iter().all(|line| line.width() <= width), "{width}: {lines:?}");
            let plain = |text: &str| text.replace(' ', "");
            assert_eq!(plain(&lines.concat()), plain(text), "{width}");
        }
    }
}
