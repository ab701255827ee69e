//! The root update: the only place where the console's own state changes. No IO and no clock.

use super::{App, Common, Modal, Msg, Request, help, palette};
use crate::tui::{
    change,
    effect::{Effect, Lane},
    journal,
    route::Route,
    screens::{self, ScreenId, Screens},
    shared::Keep,
};

/// Answers one message.
pub fn update(app: &mut App, msg: Msg) -> Vec<Effect<Request>> {
    match msg {
        Msg::Screen(msg) => return screen(app, msg),
        Msg::Common(common) => return screen(app, Screens::common(app.current, common)),
        Msg::Show(id) => return show(app, id),
        Msg::Go(route) => return go(app, &route, true),
        Msg::Trail(by) => return follow_trail(app, by),
        Msg::LastScreen => match app.last_screen {
            Some(id) => return show(app, id),
            None => app.tell("there was no other screen yet", false),
        },
        Msg::Help => app.modal = Some(Modal::Help(help::State::default())),
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
        Msg::Linked(link) => app.shared.link = link,
        Msg::Relayed(stats) => app.shared.relay = Some(stats),
        Msg::Ended(error) => {
            app.ended = Some(error);
            app.quit = true;
        }
        Msg::Remembered(kept) => {
            app.screens.orders.recall(&kept.searches);
            app.shared.kept = kept;
        }
        Msg::Copied(what) => app.tell(what, false),
        Msg::Failed(what) => app.tell(what, true),
        Msg::Suspend => app.suspended = true,
        Msg::Change(msg) => return change(app, msg),
        Msg::Commands => {
            if app.current == ScreenId::Messages {
                let menu = screens::messages::Msg::Act(None);
                return screen(app, screens::Msg::Messages(menu));
            }
            let subject = app.screens.subject(app.current);
            return change(app, change::Msg::Menu(subject));
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

/// A deadline has come: the screen may refresh.
pub fn wake(app: &mut App) -> Vec<Effect<Request>> {
    let now = app.shared.now.instant;
    let due = app.screens.wakes_at(app.current, &app.shared).is_some_and(|at| at <= now);
    let mut effects = app.lock_in_time();
    if due {
        effects.extend(screen(app, Screens::woken(app.current)));
    }
    effects
}

fn screen(app: &mut App, msg: screens::Msg) -> Vec<Effect<Request>> {
    let effects = app.screens.update(msg, &app.shared);
    settle(app, effects, Request::Screen)
}

fn change(app: &mut App, msg: change::Msg) -> Vec<Effect<Request>> {
    // What is on screen may show the order that was changed. What broke off may have done a part.
    let partly = app.change.runs_messages();
    let refresh = match &msg {
        change::Msg::Ended(_, result) => result.is_ok() || partly,
        _ => false,
    };
    let effects = change::update(&mut app.change, msg, &app.shared);
    let mut out = settle(app, effects, Request::Change);
    if app.change.running().is_none() {
        app.quitting = false;
    }
    if refresh && app.screens.offers(app.current, Common::Refresh).is_ok() {
        out.extend(screen(app, Screens::common(app.current, Common::Refresh)));
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
            Effect::Back if app.trail_at == 0 => out.extend(show(app, ScreenId::Orders)),
            Effect::Back => out.extend(follow_trail(app, -1)),
            Effect::Keep(keep) => out.extend(kept(app, keep)),
            Effect::Unlock => out.extend(app.toggle_lock()),
            Effect::Change(matter, kind) => {
                out.extend(change(app, change::Msg::Messages(matter, kind)));
            }
            other => out.push(other.map(&wrap)),
        }
    }
    out
}

fn show(app: &mut App, id: ScreenId) -> Vec<Effect<Request>> {
    if app.current == id {
        return vec![];
    }
    match app.screens.route(id) {
        Some(route) => go(app, &route, true),
        None => {
            enter(app, id);
            vec![]
        }
    }
}

fn enter(app: &mut App, id: ScreenId) {
    if app.current != id {
        app.last_screen = Some(app.current);
        app.current = id;
    }
}

/// Goes to a place; `remember` keeps it in the trail behind `[` and `]`.
fn go(app: &mut App, route: &Route, remember: bool) -> Vec<Effect<Request>> {
    if remember {
        // The place we leave is remembered as it is now: the cursor may have moved since.
        if let (Some(here), Some(slot)) =
            (app.screens.route(app.current), app.trail.get_mut(app.trail_at))
        {
            *slot = here;
        }
        if app.trail.get(app.trail_at) != Some(route) {
            app.trail.truncate(app.trail_at + 1);
            app.trail.push(route.clone());
            app.trail_at = app.trail.len() - 1;
        }
    }
    let msg = match route {
        Route::Orders { query } => {
            enter(app, ScreenId::Orders);
            screens::Msg::Orders(screens::orders::Msg::Opened(query.clone()))
        }
        Route::Timeline { order, at, diff } => {
            enter(app, ScreenId::Timeline);
            screens::Msg::Timeline(screens::timeline::Msg::Opened(*order, *at, *diff))
        }
        Route::Messages { view, at } => {
            enter(app, ScreenId::Messages);
            screens::Msg::Messages(screens::messages::Msg::Opened(view.clone(), *at))
        }
    };
    screen(app, msg)
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
    let lines = match app.shared.place() {
        Some(place) if place.gaps.is_empty() => {
            vec!["This database has everything that Orderscope looks for.".to_owned()]
        }
        Some(place) => place.gaps.clone(),
        None => vec!["Not connected yet.".to_owned()],
    };
    app.modal =
        Some(Modal::Text { title: "What this database lacks".to_owned(), lines, offset: 0 });
}
