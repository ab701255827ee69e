//! Inside a room, too, arrows go one way: the modules beside each other under one parent form no circle.
//!
//! An arrow goes from one sibling to another if anything inside the first names anything inside the
//! second; re-exports lead to the module that defines the name. A `mod.rs` may use its children, and
//! children may use what `mod.rs` itself defines: neither is an arrow between siblings.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    modules::{Modules, Place, Reference},
    sources::root,
};

/// Arrows that close a circle and are to go: from, to. Each must still be needed.
const KNOWN_CIRCLES: &[(&str, &str)] = &[];

type Arrows<'a> = BTreeMap<(Place, Place), Vec<&'a Reference>>;

/// The arrows between siblings, with the places in the sources that draw them.
fn arrows(modules: &Modules) -> Arrows<'_> {
    let mut out = Arrows::new();
    for reference in &modules.references {
        let (from, to) = (&reference.from, &reference.to);
        let common = from.iter().zip(to).take_while(|(a, b)| a == b).count();
        if common < from.len() && common < to.len() {
            let arrow = (from[..=common].to_vec(), to[..=common].to_vec());
            out.entry(arrow).or_default().push(reference);
        }
    }
    out
}

/// The groups of modules of which each can be reached from each.
fn circles(arrows: &Arrows<'_>) -> Vec<BTreeSet<Place>> {
    let mut reach: BTreeMap<&Place, BTreeSet<&Place>> = BTreeMap::new();
    for (from, to) in arrows.keys() {
        reach.entry(from).or_default().insert(to);
    }
    let below = |start: &Place| -> BTreeSet<Place> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&Place> = reach.get(start).into_iter().flatten().copied().collect();
        while let Some(place) = open.pop() {
            if seen.insert(place.clone()) {
                open.extend(reach.get(place).into_iter().flatten());
            }
        }
        seen
    };
    let below: BTreeMap<&Place, BTreeSet<Place>> =
        reach.keys().map(|place| (*place, below(place))).collect();
    let mut out: Vec<BTreeSet<Place>> = vec![];
    for (place, reached) in &below {
        if !reached.contains(*place) || out.iter().any(|circle| circle.contains(*place)) {
            continue;
        }
        let back = |other: &&Place| below.get(*other).is_some_and(|seen| seen.contains(*place));
        out.push(reached.iter().filter(back).cloned().collect());
    }
    out
}

/// Every arrow of every circle, with up to three places that draw it.
fn report(arrows: &Arrows<'_>, circles: &[BTreeSet<Place>]) -> Vec<String> {
    let mut out = vec![];
    for circle in circles {
        let names: Vec<String> = circle.iter().map(|place| place.join("::")).collect();
        out.push(format!("circle of {}", names.join(", ")));
        for ((from, to), references) in arrows {
            if !(circle.contains(from) && circle.contains(to)) {
                continue;
            }
            let mut at: Vec<String> = references
                .iter()
                .map(|reference| {
                    let file = reference.file.strip_prefix(root()).unwrap_or(&reference.file);
                    format!("{}:{}", file.display(), reference.line)
                })
                .collect();
            at.dedup();
            let more = at.len().saturating_sub(3);
            at.truncate(3);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let arrow = format!("{} -> {}", from.join("::"), to.join("::"));
            out.push(format!("  {arrow} ({}{more})", at.join(", ")));
        }
    }
    out
}

fn place(name: &str) -> Place {
    name.split("::").map(str::to_owned).collect()
}

fn judge(modules: &Modules, known: &[(&str, &str)]) -> Vec<String> {
    let all = arrows(modules);
    let inside = circles(&all);
    let mut wrong = vec![];
    let mut left = all.clone();
    for (from, to) in known {
        let arrow = (place(from), place(to));
        let needed = left.remove(&arrow).is_some()
            && inside.iter().any(|circle| circle.contains(&arrow.0) && circle.contains(&arrow.1));
        if !needed {
            wrong
                .push(format!("{from} -> {to} closes no circle any more: remove it from the list"));
        }
    }
    wrong.extend(report(&left, &circles(&left)));
    wrong
}

#[test]
fn siblings_form_no_circle() {
    let modules = Modules::read(&root().join("src"));
    let wrong = judge(&modules, KNOWN_CIRCLES);
    assert!(wrong.is_empty(), "modules beside each other use each other:\n{}", wrong.join("\n"));
}

#[test]
fn a_circle_is_found_through_nested_groups_and_re_exports() {
    let files = [
        ("lib.rs", "pub mod room;"),
        ("room/mod.rs", "mod a; mod b; mod c; pub use c::Low; pub struct Own;"),
        ("room/a.rs", "use super::{Own, b::{self, High}}; pub struct Top;"),
        ("room/b.rs", "use super::Low; pub struct High;"),
        ("room/c.rs", "pub struct Low; fn f() -> crate::room::a::Top {}"),
    ];
    let modules = crate::modules::sample(&files);
    let found = judge(&modules, &[]);
    assert_eq!(
        found,
        [
            "circle of room::a, room::b, room::c",
            "  room::a -> room::b (room/a.rs:1)",
            "  room::b -> room::c (room/b.rs:1)",
            "  room::c -> room::a (room/c.rs:1)",
        ]
    );
    assert!(judge(&modules, &[("room::c", "room::a")]).is_empty());
    let needless = judge(&modules, &[("room::c", "room::a"), ("room::c", "room::b")]);
    assert!(needless[0].contains("closes no circle any more"), "{needless:?}");
}
