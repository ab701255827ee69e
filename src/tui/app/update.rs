//! The root update: the only place where the console's own state changes. No IO and no clock.

use super::{App, Common, Modal, Msg, Request, palette, text};
use crate::tui::{
    change,
    effect::{Effect, Lane},
    journal, operations,
    route::Route,
    screens::{self, Input, ScreenId},
    shared::{Keep, Link, News, Shared},
};

/// Answers one message.
pub fn update(app: &mut App, msg: Msg) -> Vec<Effect<Request>> {
    match msg {
        Msg::Screen(msg) => return screen(app, msg),
        Msg::Input(input) => return input_to(app, input),
        Msg::Common(common) => return input_to(app, Input::Common(common)),
        Msg::Show(id) => return show(app, id),
        Msg::Go(route) => return go(app, &route, true),
        Msg::Trail(by) => return follow_trail(app, by),
        Msg::LastScreen => match app.last_screen {
            Some(id) => return show(app, id),
            None => app.tell("there was no other screen yet", false),
        },
        Msg::Help => app.modal = Some(Modal::Help(text::State::default())),
        Msg::Palette => app.modal = Some(Modal::Palette(Box::default())),
        Msg::PaletteWith(text) => {
            let mut state = palette::State::default();
            state.field.set(text);
            app.modal = Some(Modal::Palette(Box::new(state)));
        }
        Msg::Run(name) => {
            if let Some(msg) = app.by_name(&name) {
                return update(app, msg);
            }
        }
        Msg::Gaps => gaps(app),
        Msg::Freeze => {
            app.shared.frozen = !app.shared.frozen;
            let told = if app.shared.frozen { "frozen: nothing refreshes until f" } else { "live" };
            app.tell(told, false);
        }
        Msg::Interval(interval) => {
            app.shared.interval = interval;
            app.tell(format!("refreshing every {} s", interval.as_secs()), false);
        }
        Msg::Zone(zone) => {
            app.shared.zone = zone;
            app.tell(format!("times are shown in {zone}"), false);
        }
        Msg::Theme(theme) => app.theme = theme,
        Msg::Mouse(on) => {
            app.mouse = on;
            let told = if on { "mouse on" } else { "mouse released: the terminal selects text" };
            app.tell(told, false);
        }
        Msg::View(key) => match app.shared.kept.views.get(&key).cloned() {
            Some(route) => return go(app, &route, true),
            None => app.tell(
                format!("nothing is saved under F{key}; :save {key} keeps this place"),
                false,
            ),
        },
        Msg::Keep(keep) => return kept(app, keep),
        Msg::Linked(link) => {
            app.shared.link = link;
            if app.shared.place().is_some() {
                return watch(app, operations::State::refresh);
            }
        }
        Msg::News(news) => heard(app, news),
        Msg::Relayed(stats) => app.shared.relay = Some(stats),
        Msg::Ended(error) => {
            app.ended = Some(error);
            app.quit = true;
        }
        Msg::Remembered(kept) => {
            app.screens.recall(&kept);
            app.shared.kept = kept;
            let screens = &app.screens;
            // A place that an older program saved may mean nothing now.
            app.shared.kept.views.retain(|_, route| screens.of(route).is_some());
        }
        Msg::Copied(what) => app.tell(what, false),
        Msg::Failed(what) => app.tell(what, true),
        Msg::Suspend => app.suspended = true,
        Msg::Change(msg) => return change(app, msg),
        Msg::Operate => {
            let selection = app.screens.selection();
            return change(app, change::Msg::Open(selection, None));
        }
        Msg::Journal(msg) => {
            if let Some(Modal::Log(state)) = &mut app.modal {
                let effects = journal::update(state, msg, &app.shared);
                return effects.into_iter().map(|effect| effect.map(Request::Journal)).collect();
            }
        }
        Msg::Log => {
            let (state, effects) = journal::State::open(&app.shared);
            app.modal = Some(Modal::Log(Box::new(state)));
            return effects.into_iter().map(|effect| effect.map(Request::Journal)).collect();
        }
        Msg::ListOperations => return watch(app, operations::State::open),
        Msg::Operations(msg) => {
            let effects = operations::update(&mut app.operations, msg, &app.shared);
            return settle(app, effects, Request::Operations);
        }
        Msg::CloseModal => app.modal = None,
        Msg::Lock => return app.toggle_lock(),
        Msg::Reveal => return app.toggle_reveal(),
        Msg::Asked(purpose, reason) => return app.asked(purpose, reason),
        Msg::Granted(purpose, reason, result) => return app.granted(purpose, reason, result),
        Msg::Quit => match app.change.running() {
            Some(title) if !app.quitting => {
                let told = format!("{title} is still running; once more leaves all the same");
                app.quitting = true;
                app.tell(told, true);
            }
            _ => app.quit = true,
        },
    }
    vec![]
}

/// Takes in what was found beside the screens.
fn heard(app: &mut App, news: News) {
    match news {
        News::Place(place) => app.shared.link = Link::Up(place),
        News::Private(told) => app.tell(told, true),
        News::Audit(broken) => app.shared.audit_broken = broken,
    }
}

/// A deadline has come: the screen may refresh.
pub fn wake(app: &mut App) -> Vec<Effect<Request>> {
    let now = app.shared.now.instant;
    let due = app.screens.wakes_at(&app.shared).is_some_and(|at| at <= now);
    let mut effects = app.lock_in_time();
    if due {
        effects.extend(input_to(app, Input::Woken));
    }
    if app.operations.wakes_at(&app.shared).is_some_and(|at| at <= now) {
        effects.extend(watch(app, operations::State::refresh));
    }
    effects
}

/// Reads bulk operations.
fn watch(
    app: &mut App,
    read: fn(&mut operations::State, &Shared) -> Vec<Effect<operations::Request>>,
) -> Vec<Effect<Request>> {
    let effects = read(&mut app.operations, &app.shared);
    settle(app, effects, Request::Operations)
}

fn screen(app: &mut App, msg: screens::Msg) -> Vec<Effect<Request>> {
    let effects = app.screens.update(msg, &app.shared);
    settle(app, effects, Request::Screen)
}

fn input_to(app: &mut App, input: Input) -> Vec<Effect<Request>> {
    let effects = app.screens.input(input, &app.shared);
    settle(app, effects, Request::Screen)
}

fn change(app: &mut App, msg: change::Msg) -> Vec<Effect<Request>> {
    // What is on screen may show the order that was changed. What broke off may have done a part.
    let partly = app.change.runs_messages();
    let (ended, refresh) = match &msg {
        change::Msg::Ended(_, result) => (true, result.is_ok() || partly),
        _ => (false, false),
    };
    let effects = change::update(&mut app.change, msg, &app.shared);
    let mut out = settle(app, effects, Request::Change);
    if app.change.running().is_none() {
        app.quitting = false;
    }
    if ended {
        out.extend(watch(app, operations::State::refresh));
    }
    if refresh && app.screens.offers(Common::Refresh).is_ok() {
        out.extend(input_to(app, Input::Common(Common::Refresh)));
    }
    out
}

/// Carries out what the root itself can do; passes the rest on.
fn settle<R>(
    app: &mut App,
    effects: Vec<Effect<R>>,
    wrap: impl Fn(R) -> Request,
) -> Vec<Effect<Request>> {
    let mut out = vec![];
    for effect in effects {
        match effect {
            Effect::Tell(text) => app.tell(text, false),
            Effect::Warn(text) => app.tell(text, true),
            Effect::Open(route) => out.extend(go(app, &route, true)),
            Effect::Back if app.trail_at == 0 => {
                let home = app.screens.of(&app.screens.home());
                out.extend(home.map(|home| show(app, home)).unwrap_or_default());
            }
            Effect::Back => out.extend(follow_trail(app, -1)),
            Effect::Keep(keep) => out.extend(kept(app, keep)),
            Effect::Unlock => out.extend(app.toggle_lock()),
            Effect::Change(selection, act) => {
                out.extend(change(app, change::Msg::Open(selection, act)));
            }
            other => out.push(other.map(&wrap)),
        }
    }
    out
}

fn show(app: &mut App, id: ScreenId) -> Vec<Effect<Request>> {
    if app.screens.shown() == id {
        return vec![];
    }
    match app.screens.left(id) {
        Some(route) => go(app, &route, true),
        None => {
            enter(app, id);
            vec![]
        }
    }
}

fn enter(app: &mut App, id: ScreenId) {
    let before = app.screens.shown();
    if before != id {
        app.last_screen = Some(before);
        app.screens.show(id);
    }
}

/// Goes to a place; `remember` keeps it in the trail behind `[` and `]`.
fn go(app: &mut App, route: &Route, remember: bool) -> Vec<Effect<Request>> {
    let Some(id) = app.screens.of(route) else {
        app.tell(format!("no screen knows the place {route}"), true);
        return vec![];
    };
    if remember {
        // The place we leave is remembered as it is now: the cursor may have moved since.
        if let (Some(here), Some(slot)) = (app.screens.route(), app.trail.get_mut(app.trail_at)) {
            *slot = here;
        }
        if app.trail.get(app.trail_at) != Some(route) {
            app.trail.truncate(app.trail_at + 1);
            app.trail.push(route.clone());
            app.trail_at = app.trail.len() - 1;
        }
    }
    enter(app, id);
    let effects = app.screens.open(route, &app.shared);
    settle(app, effects, Request::Screen)
}

fn follow_trail(app: &mut App, by: isize) -> Vec<Effect<Request>> {
    let to = app.trail_at.checked_add_signed(by).filter(|to| *to < app.trail.len());
    let Some(to) = to else {
        app.tell(if by < 0 { "this is where we started" } else { "nothing further on" }, false);
        return vec![];
    };
    app.trail_at = to;
    let route = app.trail[to].clone();
    go(app, &route, false)
}

fn kept(app: &mut App, keep: Keep) -> Vec<Effect<Request>> {
    let kept = &mut app.shared.kept;
    let told = match keep {
        Keep::Bookmark(order) => {
            let added = kept.bookmarks.insert(order) || !kept.bookmarks.remove(&order);
            let what = if added { "bookmarked" } else { "no longer bookmarked" };
            Some(format!("{} {what}", order.short()))
        }
        Keep::View(key, route) => {
            kept.views.insert(key, route);
            Some(format!("F{key} comes back here"))
        }
        Keep::Search(text) => {
            kept.searches.retain(|old| *old != text);
            kept.searches.push(text);
            let surplus = kept.searches.len().saturating_sub(100);
            kept.searches.drain(..surplus);
            None
        }
    };
    let save = Effect::Run(Lane::Every, Request::Save(kept.clone()));
    if let Some(told) = told {
        app.tell(told, false);
    }
    vec![save]
}

fn gaps(app: &mut App) {
    let mut lines = match app.shared.place() {
        Some(place) if place.gaps.is_empty() => {
            vec!["This database has everything that Orderscope looks for.".to_owned()]
        }
        Some(place) => place.gaps.clone(),
        None => vec!["Not connected yet.".to_owned()],
    };
    if let Some(broken) = &app.shared.audit_broken {
        lines.insert(0, format!("The audit log is not as it was: {broken}"));
    }
    app.modal = Some(Modal::Text {
        title: "What this database lacks".to_owned(),
        lines,
        state: text::State::default(),
    });
}
