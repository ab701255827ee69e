//! A screen that only this test has: what it declares is all that is written for it.

use std::time::Instant;

use ratatui::{Frame, layout::Rect, text::Line};

use super::{Desk, copied, now, place};
use crate::{
    domain::zone::Zone,
    tui::{
        app::{self, Msg, bindings, scopes},
        effect::{Effect, Lane},
        route::{self, Route},
        screens::{Common, Fit, Input, Screen, ScreenId, Screens, Spec},
        selection::Selection,
        services::Cx,
        shared::Shared,
        ui::{
            action::{Action, Keys, Risk},
            hits::Hits,
            theme::Theme,
        },
    },
};

/// A shelf of which one looks at a board.
#[derive(Debug, Default)]
struct Shelf {
    board: i64,
    emptied: usize,
}

#[derive(Debug, Clone, PartialEq)]
enum ShelfMsg {
    Empty,
    Counted(i64),
}

#[derive(Debug, Clone, PartialEq)]
struct Count(i64);

#[derive(Debug, Clone, Copy, PartialEq)]
struct Board(i64);

impl route::Place for Board {
    fn read(route: &Route) -> Option<Self> {
        route.rest().map_or(Some(Self(0)), |rest| rest.parse().ok().map(Self))
    }

    fn route(&self) -> Route {
        Route::new("shelf").at(self.0)
    }
}

impl Screen for Shelf {
    type Msg = ShelfMsg;
    type Request = Count;
    type Place = Board;

    const SPEC: Spec = Spec {
        id: ScreenId("shelf"),
        title: "Shelf",
        action: "go.shelf",
        keys: &["9"],
        help: "What stands on a shelf",
        cli_equivalent: "orderscope version",
        word: "shelf",
        link: "shelf/BOARD",
    };
    const ACTIONS: &'static [Action<Self, ShelfMsg>] =
        &[Action::look("shelf.empty", &["E"], "empty", "Take everything off the shelf", || {
            ShelfMsg::Empty
        })
        .risk(Risk::Change)
        .footer(90)];

    fn update(&mut self, msg: ShelfMsg, _: &Shared) -> Vec<Effect<Count>> {
        match msg {
            ShelfMsg::Empty => self.emptied += 1,
            ShelfMsg::Counted(board) => self.board = board,
        }
        vec![]
    }

    fn input(&mut self, input: Input, shared: &Shared) -> Vec<Effect<Count>> {
        match input {
            Input::Common(Common::CopyLink) => {
                let text = route::Place::route(&Board(self.board)).link(shared.context());
                vec![Effect::Copy { text, what: "link".to_owned() }]
            }
            _ => vec![],
        }
    }

    fn open(&mut self, Board(board): Board, _: &Shared) -> Vec<Effect<Count>> {
        self.board = board;
        vec![Effect::Run(Lane::Every, Count(board))]
    }

    fn view(&self, _: &Shared, _: &Theme, frame: &mut Frame, area: Rect) -> Hits<ShelfMsg> {
        frame.render_widget(Line::raw(format!("board {}", self.board)), area);
        let mut hits = Hits::default();
        hits.click(area, ShelfMsg::Counted(1));
        hits
    }

    async fn load(Count(board): Count, _: Cx) -> ShelfMsg {
        ShelfMsg::Counted(board)
    }

    fn offers(&self, common: Common) -> Result<(), &'static str> {
        if common == Common::CopyLink { Ok(()) } else { Err("a shelf is only looked at") }
    }

    fn fit(&mut self, _: &[Fit]) {}

    fn place(&self) -> Option<Board> {
        Some(Board(self.board))
    }

    fn crumb(&self, _: &Shared) -> String {
        format!("Shelf › {}", self.board)
    }

    fn cli_equivalent(&self) -> String {
        "orderscope version".to_owned()
    }

    fn seen_at(&self) -> Option<Instant> {
        None
    }

    fn wakes_at(&self, _: &Shared) -> Option<Instant> {
        None
    }

    fn selection(&self) -> Selection {
        Selection::Order(None)
    }

    fn badge(&self, _: &Shared) -> Option<String> {
        Some("12".to_owned())
    }
}

fn desk() -> Desk {
    let shared = Shared::new(now(), "UTC".parse::<Zone>().unwrap());
    let screens = Screens::default().and::<Shelf>();
    Desk::of(screens, shared, (120, 36), Keys::default()).at(place())
}

#[test]
fn it_has_a_tab_with_its_number_and_a_key() {
    let mut desk = desk();
    assert!(desk.shows(" 9 Shelf 12"), "{}", desk.frame());
    assert!(!desk.is_on::<Shelf>());
    desk.press("9");
    assert!(desk.is_on::<Shelf>() && desk.shows("board 0"), "{}", desk.frame());
    desk.press("-");
    assert!(!desk.is_on::<Shelf>());
    let counted = |effect: &Effect<app::Request>| match effect {
        Effect::Run(_, app::Request::Screen(request)) => request.of::<Shelf>().cloned(),
        _ => None,
    };
    assert_eq!(
        desk.effects().iter().find_map(counted),
        Some(Count(0)),
        "what it asks for is asked"
    );
}

#[test]
fn its_keys_are_remapped_listed_and_checked_like_all() {
    let keys = Keys::new([("go.shelf".to_owned(), vec!["8".to_owned()])].into());
    let screens = Screens::default().and::<Shelf>();
    let listed = scopes(&screens, &keys);
    let own = listed.iter().find(|scope| scope.title == "On Shelf").unwrap();
    assert_eq!(own.rows[0].name, "shelf.empty");
    assert!(listed[0].rows.iter().any(|info| info.name == "go.shelf" && info.keys == ["8"]));
    assert_eq!(keys.problems(&bindings(&screens, &keys)), Vec::<String>::new());
    let clash = Keys::new([("shelf.empty".to_owned(), vec!["q".to_owned()])].into());
    let told = clash.problems(&bindings(&screens, &clash));
    assert_eq!(told, ["q: means both quit and shelf.empty"]);
    let shared = Shared::new(now(), "UTC".parse::<Zone>().unwrap());
    let mut desk = Desk::of(screens, shared, (120, 36), keys);
    desk.press("8");
    assert!(desk.is_on::<Shelf>() && desk.shows(" 8 Shelf"), "{}", desk.frame());
}

#[test]
fn help_and_palette_know_it() {
    let mut desk = desk();
    desk.press("9 ?");
    for told in ["On Shelf", "Take everything off the shelf", "What stands on a shelf"] {
        assert!(desk.shows(told), "{told}: {}", desk.frame());
    }
    desk.press("esc 2 :");
    desk.types("go.shelf");
    assert!(desk.shows("What stands on a shelf"), "{}", desk.frame());
    desk.press("enter");
    assert!(desk.is_on::<Shelf>());
}

#[test]
fn links_lead_to_it_and_from_it() {
    let mut desk = desk();
    desk.press(":");
    desk.types("open ops://local/shelf/7");
    desk.press("enter");
    assert!(desk.is_on::<Shelf>() && desk.shows("board 7"), "{}", desk.frame());
    desk.effects();
    desk.press("Y");
    assert_eq!(copied(&desk.effects()), ["ops://local/shelf/7"]);
    let screens = Screens::default().and::<Shelf>();
    assert!(screens.read("ops://local/shelf/high").is_err(), "the screen says what it understands");
    let told = screens.read("ops://local/cupboard").unwrap_err().to_string();
    assert!(told.ends_with("or ops://CONTEXT/shelf/BOARD"), "{told}");
    assert!(Screens::default().read("ops://local/shelf/7").is_err());
    desk.press("2");
    desk.send(Msg::Trail(-1));
    assert!(desk.is_on::<Shelf>() && desk.shows("board 7"), "the trail leads back");
}

#[test]
fn what_it_changes_is_locked_like_everything() {
    let mut desk = desk();
    desk.press("9 E");
    assert_eq!(desk.state::<Shelf>().emptied, 0);
    assert!(desk.shows("writes are locked: w unlocks"), "{}", desk.frame());
    desk.press(":");
    desk.types("shelf.empty");
    desk.press("enter");
    assert_eq!(desk.state::<Shelf>().emptied, 0, "the palette goes round no lock");
    desk.press("esc");
    desk.unlock();
    desk.press("E");
    assert_eq!(desk.state::<Shelf>().emptied, 1);
}

#[test]
fn a_click_on_it_is_its_message() {
    let mut desk = desk();
    desk.press("9");
    let click = crossterm::event::MouseEventKind::Down(crossterm::event::MouseButton::Left);
    desk.mouse(click, 10, 10);
    assert!(desk.shows("board 1"), "{}", desk.frame());
}
