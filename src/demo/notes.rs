//! Notes that buyers write: short wishes with common words for the search, and a few rare ones.

use super::random::Random;

const WISHES: [&str; 30] = [
    "Please leave at the front desk",
    "Gift wrap, please",
    "Call before delivery",
    "Deliver after 18:00",
    "Ring the bell twice",
    "Birthday present, no invoice in the box",
    "Leave with the neighbour",
    "Fragile, handle with care",
    "Second floor, no lift",
    "Urgent: needed by Friday",
    "Use the side entrance",
    "Do not bend",
    "Replacement for a damaged copy",
    "School library order",
    "Signed edition if possible",
    "Leave at the door",
    "Giao giờ hành chính",
    "Gọi trước khi giao",
    "Để ở quầy lễ tân",
    "Gói quà giúp mình nhé",
    "Không giao cuối tuần",
    "Company order, invoice to accounting",
    "Book club copies, one parcel please",
    "Wedding gift",
    "Deliver to the reading room",
    "Customer collects",
    "Combine with my previous order",
    "No plastic packaging",
    "Beware of the dog",
    "Please hide it from my daughter until Christmas",
];
const RARE: [&str; 12] = [
    "for the kintsugi workshop",
    "goes to the lighthouse keeper",
    "with a marzipan bookmark",
    "left-handed edition",
    "the parrot must not see it",
    "for the bonsai exhibition",
    "ship by the night ferry",
    "astronomy camp, tent nine",
    "please stamp with the owl",
    "to be read aloud",
    "prize for the spelling bee",
    "museum of umbrellas, loading dock",
];
/// Texts around a number.
const NUMBERED: [(&str, &str); 4] =
    [("Code ", " at the gate"), ("Reference PO-", ""), ("Phone ends in ", ""), ("Parcel box ", "")];
const GREETINGS: [&str; 6] = [
    "For Mum, with love",
    "Happy birthday, Linh",
    "Chúc mừng năm mới",
    "Get well soon",
    "To the best teacher",
    "Congratulations, Minh",
];

/// A note, or in most cases none.
pub fn note(random: &mut Random) -> Option<String> {
    if !random.permille(150) {
        return None;
    }
    let mut note = (*random.pick(&WISHES)).to_owned();
    match random.below(100) {
        0..25 => {
            let number = random.between(1000, 9999).to_string();
            let (before, after) = *random.pick(&NUMBERED);
            note.extend([". ", before, &number, after]);
        }
        25..37 => {
            note.extend([". ", *random.pick::<&str>(&GREETINGS)]);
        }
        37..39 => {
            note.extend([", ", *random.pick::<&str>(&RARE)]);
        }
        39..45 => note += ". Thank you!",
        _ => {}
    }
    Some(note)
}
