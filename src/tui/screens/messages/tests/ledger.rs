//! The inbox below a list of messages.

use super::*;

fn below(desk: &mut Desk) -> bool {
    desk.shows("Inbox: 112 rows, 40 in the last hour")
}

#[test]
fn it_stands_below_a_list_that_has_room_for_it() {
    let mut desk = watching(120, 36);
    assert!(below(&mut desk), "{}", desk.frame());
    assert!(desk.shows("half-done"), "its rows");
    // A message that is read gets the room.
    desk.press("tab tab");
    assert!(!below(&mut desk));
    desk.press("esc");
    assert!(below(&mut desk));
    // The list of it is all of it.
    desk.press("U");
    answer(&mut desk, &stalled(30, 1_204), &inbox::listed());
    assert!(!below(&mut desk), "{}", desk.frame());
    assert!(!below(&mut watching(80, 24)));
}

#[test]
fn a_click_opens_it() {
    let mut desk = watching(120, 36);
    let row = desk.frame().lines().position(|line| line.contains("Inbox: 112 rows")).unwrap();
    desk.mouse(MouseEventKind::Down(MouseButton::Left), 20, u16::try_from(row).unwrap() + 2);
    answer(&mut desk, &stalled(30, 1_204), &inbox::listed());
    assert!(desk.shows("Messages › inbox"), "{}", desk.frame());
}

#[test]
fn what_waits_is_told_by_type_and_destination_below_a_tall_list() {
    let mut desk = watching(140, 50);
    assert!(desk.shows("type  UserCheckedOut 1,061"), "{}", desk.frame());
    assert!(desk.shows("(none) 1"));
    assert!(!watching(80, 24).shows("UserCheckedOut 1,061"));
}
