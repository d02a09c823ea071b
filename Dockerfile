# tailgram as one static binary in an otherwise empty image.
#
#     docker build -t tailgram .
#
# BUILDER is any image with a Rust toolchain, a C compiler and a CA bundle. Where none can be pulled, make one:
#
#     docker build --build-arg BUILDER="$(scripts/base-image)" -t tailgram .
#
# Nothing here needs BuildKit. The image is for the machine that builds it; with BuildKit, `--platform` builds it
# for amd64 or arm64.
ARG BUILDER=rust:1-bookworm

FROM ${BUILDER} AS builder
WORKDIR /build
# What the program is made of is written into it, for `cargo audit bin`, Trivy and the like. Where cargo-auditable cannot
# be had, that is said, and the program does without. Its folder is named, for not every builder has a /tmp.
RUN cargo install --quiet --locked --root /tools --target-dir /tools/build cargo-auditable@0.7.7 \
 || echo 'cargo-auditable cannot be had: the program will not say what it is made of' >&2; \
    rm -rf /tools/build
# Static, because the image has no libc to load.
ENV RUSTFLAGS="-C target-feature=+crt-static"

# The dependencies are a layer of their own, which a change in src/ leaves alone: the manifests with empty
# sources are all that cargo needs for them. The target is named, though it is the builder's own, because only
# then RUSTFLAGS spare the procedural macros, which cannot be static.
COPY Cargo.toml Cargo.lock ./
COPY tests/botapi/Cargo.toml tests/botapi/
COPY tests/chaos/Cargo.toml tests/chaos/
RUN mkdir -p src benches tests/it tests/botapi/src tests/chaos/src \
 && touch src/lib.rs tests/botapi/src/lib.rs tests/chaos/src/lib.rs \
 && for main in src/main benches/scan benches/start tests/it/main; do echo 'fn main() {}' > "$main.rs"; done \
 && rustc -vV | sed -n 's/^host: //p' > /target \
 && cargo build --release --locked --target "$(cat /target)" --package tailgram

# What COPY brings may be older than the empty sources; cargo goes by the time. Packed relocations take 0.8 MB
# less of a program that may be loaded anywhere; they need glibc 2.36 or newer in the builder.
COPY . .
RUN touch src/lib.rs src/main.rs \
 && PATH="/tools/bin:$PATH" \
 && if command -v cargo-auditable >/dev/null; then auditable=auditable; fi \
 && cargo $auditable rustc --release --locked --target "$(cat /target)" --package tailgram --bin tailgram \
      -- -C link-arg=-Wl,-z,pack-relative-relocs \
 && cp "target/$(cat /target)/release/tailgram" /tailgram \
 && mkdir /empty

FROM scratch
# Which commit it is: --build-arg REVISION="$(git rev-parse HEAD)".
ARG REVISION=unknown
LABEL org.opencontainers.image.title="tailgram" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.description="A log-tailing sidecar that keeps one live Telegram message per incident" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=builder /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# Empty, and the user's: a named volume mounted here takes over its owner.
COPY --from=builder --chown=65532:65532 /empty /var/lib/tailgram
# Only `tailgram demo` writes here; `run` does without, as --read-only shows.
COPY --from=builder --chown=65532:65532 /empty /tmp
COPY --from=builder /tailgram /tailgram
# A number, because there is no /etc/passwd to look a name up in.
USER 65532:65532
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["/tailgram", "health"]
# rules.toml is expected in /etc/tailgram: mount that folder, not the file, or an editor that replaces the file
# leaves the container with the old one.
ENTRYPOINT ["/tailgram"]
CMD ["run"]
