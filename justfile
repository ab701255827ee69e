# Everyday commands; `just` lists them. Everything here also works without just.

# Format, lint, document and test, as CI does
check:
    bash .ci/run

# All tests, on private servers (installs what is missing)
test:
    sh tests/run.sh

# Read changed screens before accepting them
review:
    cargo insta review

# Regenerate docs/keys.md, docs/verbs.md and docs/configuration.md
docs:
    UPDATE_DOCS=1 cargo test --test it docs::

# Redraw the pictures in assets/pictures from real runs
pictures:
    UPDATE_PICTURES=1 cargo test --test it pictures::

# Measure what docs/performance.md reports (minutes; needs about 12 GB of disk)
bench *ARGS:
    cargo bench --bench targets -- {{ARGS}}

# The smaller, faster binary that is distributed
dist:
    cargo build --profile dist --locked
