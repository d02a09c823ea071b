# Shortcuts. `.ci/run` does not need them.

# What there is
default:
    @just --list

# All that CI does
check:
    .ci/run

# All tests, or those whose names hold WORDS
test *WORDS:
    cargo test {{ WORDS }}

# Formatting, lints, documentation
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --workspace --locked

# How fast the scan is, and the start
bench:
    cargo bench --bench scan
    cargo bench --bench start

# The large runs, or those whose names hold WORDS; `follow` is what following is judged by; writes docs/evidence.md
soak *WORDS:
    scripts/soak {{ WORDS }}

# Faults around the real program: `pr` takes minutes, `nightly` as long as it is told, `container` strikes the
# sidecar of compose.yaml; see docs/chaos.md
chaos WHICH="pr" *OPTIONS:
    scripts/chaos {{ WHICH }} {{ OPTIONS }}

# The whole pipeline in the terminal
demo:
    cargo run --release -- demo
