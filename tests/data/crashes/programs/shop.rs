//! A shop that panics; with an argument, one that says why with an assertion of several lines.
fn sell(item: &str) -> u32 {
    let stock: Option<u32> = None;
    stock.unwrap_or_else(|| panic!("no {item} since 12:00:01"))
}

fn main() {
    let head = std::env::var("HEAD").unwrap_or_default();
    for number in 0..3 {
        println!("{head}customer {number} enters the shop");
    }
    match std::env::args().nth(1) {
        None => drop(sell("tea")),
        Some(_) => assert_eq!(1 + 1, 3, "the till counts wrongly"),
    }
}
