//! What a fault's text may show while personal data is masked: words that failures are told in, ids, times, short
//! numbers, names of programs. Any other word may be a person's.

use super::{
    MASK,
    listed::{is_id, is_moment, is_short_number, is_technical},
};

/// Words of messages that .NET, PostgreSQL and RabbitMQ write. None of them is a usual name.
const WORDS: &str = "
    a aborted access acquire acquired active actively address after again ak already an and any are
    as at attempt attempted attempts authentication available basket be been before between body
    book books broker buffer but buyer buyers by call called can cancel canceled cancelled cancels
    cannot cause caused change changed channel check closed closing code column command commit
    committed complete completed completes concurrency concurrent conflict connect connected
    connecting connection constraint consumed consumer contain contains contents context conversion
    correlation could count create created data database dead deadlock deadlocked deserialization
    deserialize deserialized destination detail details detected did disk disposed do does down due
    duplicate during each either elements else empty end ended entity error errors event events
    exceeded exception exchange execute executed execution exhausted exist existing exists expected
    expects expired failed fails failure fault field file first fk for foreign format found from
    full function had handle handler has have header headers hex host id ids if in inbox include
    incorrect index information initialized input insert inserted instance integration interrupted
    into invalid is it item items its ix json kept key keys kind last later length letter level
    limit line lines list load lock locked longer lost made mail match matching maximum may member
    memory message messages method missing model more most must n name names needed network new next
    no node none not nothing null number object objects of off on once one only open opened
    operation operator optional or order ordered orders other out outbox outcome output over own
    parameter parse parsed password past path pending per permission permitted pk place placed pool
    position postgres process processed processing property publish published query queue queued
    range reachable reached read reading received redacted redeliver redelivery reference referenced
    refused rejected relation remote remove removed request requested required reset resource
    response result retries retry returned row rows running same schema second seconds see send
    sending sensitive sent sequence serialize serialized server service set should size snapshot so
    socket some source space specified specify start started state statement status still stopped
    store stored stream string submit such summary supported system table tenant terminated than
    that the their then there these this those thread threads throw thrown time timed timeout times
    to too total transaction transient transport try type unable unavailable under unexpected
    unhandled unique unknown unreachable unsupported until up update updated updating uq use used
    user using validation value values version vhost violated violates virtual wait waited waiting
    was were what when where which while who why with within without work write writing written
    wrong yes yet you your";

/// Names of types begin with one of these.
const ROOTS: &[&str] = &[
    "System.",
    "Microsoft.",
    "Npgsql.",
    "MassTransit.",
    "RabbitMQ.",
    "BookWorm.",
    "Marten.",
    "Polly.",
];

/// The text with every word covered that is not listed; blanks and marks stay. Words in a row are covered as one.
#[must_use]
pub fn mask_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut covering = false;
    for word in text.split_inclusive(char::is_whitespace) {
        let kept = word.trim_end();
        let seen = kept.is_empty() || may_be_seen(kept);
        if seen {
            out.push_str(word);
        } else {
            if covering {
                out.truncate(out.trim_end().len());
            } else {
                out.push_str(MASK);
            }
            out.push_str(&word[kept.len()..]);
        }
        covering = !seen || (covering && kept.is_empty());
    }
    out
}

/// A frame of a stack trace: the method without its arguments, the line without its file. Any other line is text.
#[must_use]
pub fn mask_frame(frame: &str) -> String {
    let method = frame.strip_prefix("at ").and_then(|rest| rest.split_once('('));
    let Some((method, rest)) = method.filter(|(method, _)| is_method(method)) else {
        return mask_text(frame);
    };
    let line =
        rest.rsplit_once(":line ").map(|(_, line)| line).filter(|line| is_short_number(line));
    line.map_or_else(|| format!("at {method}(…)"), |line| format!("at {method}(…) line {line}"))
}

/// At least two names with a dot between them, and the type's begins with a capital.
fn is_method(text: &str) -> bool {
    text.contains('.')
        && !text.contains(['@', ' '])
        && is_technical(text)
        && text.starts_with(|c: char| c.is_ascii_uppercase())
}

fn may_be_seen(word: &str) -> bool {
    let mark = |c: char| "\"'`()[]{}<>,;:.!?=".contains(c);
    let inside = word.trim_matches(mark);
    inside.is_empty()
        || is_id(inside)
        || is_short_number(inside)
        || is_moment(inside)
        || is_program(inside)
        || inside.split(['_', '-', '/', '=', ':', '.', '(', ')', '\'']).all(|part| {
            let part = part.to_ascii_lowercase();
            part.is_empty() || WORDS.split_whitespace().any(|known| known == part)
        })
}

fn is_program(word: &str) -> bool {
    is_technical(word)
        && (ROOTS.iter().any(|root| word.starts_with(root))
            || (word.starts_with("rabbitmq://") || word.starts_with("urn:message:")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_failures_stay_and_those_of_people_do_not() {
        for (text, shown) in [
            (
                "23505: duplicate key value violates unique constraint \"ak_inbox_state_message_id\"",
                None,
            ),
            ("The operation has timed out.", None),
            ("System.TimeoutException: the broker refused 3 times\n in 12.5 seconds", None),
            ("no basket of le.thi@example.org", Some("no basket of ********")),
            ("buyer Lê Thị of 8 Book Lane, Hue", Some("buyer ******** of 8 Book ********")),
            ("call +84901234567 or 0901234567", Some("call ******** or ********")),
            ("order 019aab5c-2ba6-7b40-9d2a-5e0c4b1f8c41 not found", None),
            ("Key (full_name)=(Le Thi) already exists", Some("Key ******** already exists")),
        ] {
            assert_eq!(mask_text(text), shown.unwrap_or(text));
        }
    }

    #[test]
    fn frames_show_methods_and_lines() {
        for (frame, shown) in [
            (
                "at Npgsql.Internal.NpgsqlReadBuffer.EnsureLong()",
                "at Npgsql.Internal.NpgsqlReadBuffer.EnsureLong(…)",
            ),
            ("at A.B`1.Send(X`1 x) in /home/lethi/B.cs:line 42", "at A.B`1.Send(…) line 42"),
            ("at Lê Thị (Hue)", "at ********"),
            ("Le Thi is not there", "******** is not there"),
        ] {
            assert_eq!(mask_frame(frame), shown);
        }
    }
}
