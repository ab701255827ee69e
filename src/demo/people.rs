//! Buyers: names of the length that the table allows, addresses in places of very different size.

use super::random::{Random, Subject};

const FAMILY: [&str; 16] = [
    "Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Phan", "Vũ", "Đặng", "Bùi", "Đỗ", "Hồ", "Ngô",
    "Dương", "Lý", "Mai", "Trịnh",
];
/// How many in a thousand have each of these names, roughly as in Vietnam.
const FAMILY_WEIGHTS: [u64; 16] = [380, 110, 95, 70, 51, 45, 39, 21, 20, 14, 13, 13, 10, 5, 5, 4];
const MIDDLE: [&str; 10] =
    ["Thị", "Văn", "Minh", "Ngọc", "Thanh", "Đức", "Thu", "Quang", "Gia", "Hải"];
const GIVEN: [&str; 32] = [
    "Anh", "Linh", "Trang", "Hương", "Lan", "Mai", "Thảo", "Hà", "Ngân", "Vy", "My", "Châu",
    "Khuê", "Huy", "Nam", "Dũng", "Tuấn", "Hùng", "Sơn", "Long", "Khoa", "Phúc", "Bảo", "Quân",
    "Tâm", "An", "Bình", "Yến", "Nhung", "Thắng", "Duy", "Uyên",
];
const FIRST: [&str; 48] = [
    "Yuki", "Haruto", "Sakura", "Ren", "Aoi", "Min-jun", "Seo-yeon", "Ji-ho", "Ha-eun", "Wei",
    "Ling", "Mei", "Jun", "Arthit", "Somchai", "Siti", "Budi", "Maria", "José", "Emma", "Liam",
    "Olivia", "Noah", "Ava", "Lucas", "Chloé", "Jack", "Grace", "Oscar", "Zoë", "Adam", "Nina",
    "Omar", "Léa", "Paul", "Ivy", "Max", "Priya", "Arjun", "Fatima", "Søren", "Ingrid", "Paweł",
    "Zuzana", "Mateo", "Inés", "Amara", "Kofi",
];
const LAST: [&str; 48] = [
    "Tanaka",
    "Suzuki",
    "Satō",
    "Yamamoto",
    "Kim",
    "Lee",
    "Park",
    "Choi",
    "Chen",
    "Wang",
    "Zhang",
    "Huang",
    "Wong",
    "Tan",
    "Lim",
    "Santos",
    "Reyes",
    "Cruz",
    "Wijaya",
    "Santoso",
    "Smith",
    "Jones",
    "Brown",
    "Taylor",
    "O'Neil",
    "Martin",
    "García",
    "Müller",
    "Rossi",
    "Silva",
    "Khan",
    "Ali",
    "Patel",
    "Singh",
    "Kumar",
    "Cohen",
    "Novák",
    "Ivanova",
    "Larsen",
    "Walker",
    "Dubois",
    "Haddad",
    "Okafor",
    "Mensah",
    "Lindqvist",
    "Kowalska",
    "Ferreira",
    "Schmidt",
];

/// City, province, weight.
const PLACES: [(&str, &str, u64); 44] = [
    ("Hồ Chí Minh", "Hồ Chí Minh", 260),
    ("Hà Nội", "Hà Nội", 190),
    ("Đà Nẵng", "Đà Nẵng", 75),
    ("Hải Phòng", "Hải Phòng", 45),
    ("Cần Thơ", "Cần Thơ", 40),
    ("Biên Hòa", "Đồng Nai", 28),
    ("Thủ Dầu Một", "Bình Dương", 24),
    ("Huế", "Thừa Thiên Huế", 24),
    ("Nha Trang", "Khánh Hòa", 20),
    ("Vũng Tàu", "Bà Rịa-Vũng Tàu", 16),
    ("Đà Lạt", "Lâm Đồng", 16),
    ("Quy Nhơn", "Bình Định", 12),
    ("Vinh", "Nghệ An", 12),
    ("Thái Nguyên", "Thái Nguyên", 10),
    ("Buôn Ma Thuột", "Đắk Lắk", 9),
    ("Hạ Long", "Quảng Ninh", 9),
    ("Nam Định", "Nam Định", 7),
    ("Cà Mau", "Cà Mau", 5),
    ("Phú Quốc", "Kiên Giang", 4),
    ("Cam Ranh", "Khánh Hòa", 3),
    ("Singapore", "Singapore", 26),
    ("Bangkok", "Bangkok", 16),
    ("Kuala Lumpur", "Kuala Lumpur", 14),
    ("George Town", "Penang", 5),
    ("Jakarta", "Jakarta", 12),
    ("Bandung", "West Java", 5),
    ("Manila", "Metro Manila", 10),
    ("San Fernando", "Pampanga", 2),
    ("San Fernando", "La Union", 2),
    ("Taipei", "Taipei", 12),
    ("Hong Kong", "Hong Kong", 12),
    ("Tokyo", "Tokyo", 14),
    ("Yokohama", "Kanagawa", 6),
    ("Osaka", "Osaka", 8),
    ("Seoul", "Seoul", 12),
    ("Busan", "Busan", 6),
    ("Sydney", "New South Wales", 8),
    ("Melbourne", "Victoria", 7),
    ("London", "Greater London", 6),
    ("Paris", "Île-de-France", 5),
    ("Berlin", "Berlin", 4),
    ("Springfield", "Illinois", 1),
    ("Springfield", "Missouri", 1),
    ("Porto", "Porto", 2),
];
const STREETS: [&str; 24] = [
    "Lê Lợi",
    "Nguyễn Huệ",
    "Trần Phú",
    "Hai Bà Trưng",
    "Lý Tự Trọng",
    "Điện Biên Phủ",
    "Phan Đình Phùng",
    "Nguyễn Trãi",
    "Võ Văn Tần",
    "Bà Triệu",
    "Cách Mạng Tháng Tám",
    "Hoàng Diệu",
    "Quang Trung",
    "Lý Thường Kiệt",
    "Tôn Đức Thắng",
    "Nguyễn Thị Minh Khai",
    "Lạc Long Quân",
    "Station Road",
    "Orchard Lane",
    "Riverside Walk",
    "Market Street",
    "Harbour View",
    "Temple Street",
    "Old Mill Lane",
];

/// A buyer without the id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub name: String,
    /// Street, city, province; one buyer in thirty gave none.
    pub address: Option<Address>,
}

/// Where a buyer lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub street: String,
    pub city: &'static str,
    pub province: &'static str,
}

/// The `n`th buyer.
pub fn person(seed: u64, n: u64) -> Person {
    let mut random = Random::new(seed, Subject::Buyer, n);
    let weights = PLACES.map(|(_, _, weight)| weight);
    let place = random.weighted(&weights);
    let (city, province, _) = PLACES[place];
    // The first twenty places are Vietnamese, and so are most who live there.
    let local = random.permille(if place < 20 { 940 } else { 120 });
    let name = if local { vietnamese(&mut random) } else { international(&mut random) };
    let street = format!("{} {}", random.between(1, 480), random.pick(&STREETS));
    let address = (!random.permille(33)).then_some(Address { street, city, province });
    Person { name, address }
}

fn vietnamese(random: &mut Random) -> String {
    let family = FAMILY[random.weighted(&FAMILY_WEIGHTS)];
    let given = *random.pick(&GIVEN);
    if random.permille(650) {
        format!("{family} {} {given}", random.pick(&MIDDLE))
    } else {
        format!("{family} {given}")
    }
}

fn international(random: &mut Random) -> String {
    format!("{} {}", random.pick(&FIRST), random.pick(&LAST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_and_address_fits_its_column() {
        let longest = |names: &[&str]| names.iter().map(|name| name.chars().count()).max().unwrap();
        assert!(longest(&FAMILY) + longest(&MIDDLE) + longest(&GIVEN) + 2 <= 20);
        assert!(longest(&FIRST) + longest(&LAST) < 20);
        assert!(longest(&STREETS) + 4 <= 50);
        assert!(PLACES.iter().all(|(city, province, _)| city.len() <= 50 && province.len() <= 50));
    }

    #[test]
    fn places_have_very_different_sizes() {
        let lives = |city: &str| {
            let people = (0..4000).filter_map(|n| person(1, n).address);
            people.filter(|address| address.city == city).count()
        };
        assert!(lives("Hồ Chí Minh") > 700);
        assert!(lives("Porto") < 60);
        assert_eq!(person(1, 5), person(1, 5));
        assert_ne!(person(1, 5), person(2, 5));
    }
}
