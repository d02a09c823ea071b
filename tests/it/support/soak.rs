//! Small runs for CI, large ones for `just soak`; both print what they measured.

/// Whether the large counts are asked for.
pub fn soak() -> bool {
    std::env::var_os("TAILGRAM_SOAK").is_some()
}

/// The seed of this run: `TAILGRAM_SEED`, or drawn at random. Printed, for the run that fails.
pub fn seed() -> u64 {
    let given = std::env::var("TAILGRAM_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| fastrand::u64(..1 << 32));
    eprintln!("seed {seed}");
    seed
}

/// One line of figures, which `just soak` collects into docs/evidence.md.
pub fn evidence(line: &str) {
    eprintln!("evidence| {line}");
}
