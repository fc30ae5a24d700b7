# Every target does its own set-up.

CARGO_FLAGS = $$(cat .duckdb/cargo-flags)
LIBRARY_DIR = $${DUCKDB_LIB_DIR:-.duckdb}

FUZZ_SECONDS ?= 600

.PHONY: build run test test-web test-api test-extracts test-tableau crash test-peers bench bench-api fuzz lint setup

build: setup ## leaves target/release/deloton, with the DuckDB library beside it
	@[ -d target/release/deps ] || echo "building deloton and everything it stands on: about 15 minutes on two cores, once"
	cargo build --release --locked $(CARGO_FLAGS)
	@for library in $(LIBRARY_DIR)/libduckdb.*; do [ ! -e "$$library" ] || cp -u "$$library" target/release/; done

run: build ## starts deloton with simulated bikes; everything is in data/
	@target/release/deloton serve

test: setup ## every test
	@[ -d target/debug/deps ] || echo "building the tests and everything they stand on: about 8 minutes on two cores, once"
	cargo test --locked $(CARGO_FLAGS)

test-web: setup ## the report site and the server's pages in a real browser, which it fetches where there is none
	@tools/test-web $(CARGO_FLAGS)

EXAMPLES ?= 600

test-api: setup ## the OpenAPI document against spectral, the server against the document with EXAMPLES requests of schemathesis
	@EXAMPLES=$(EXAMPLES) tools/test-api $(CARGO_FLAGS)

test-extracts: setup ## the extracts with DuckDB, pandas, Polars, Spark and Power Query's rules, as README.md says
	@tools/test-extracts $(CARGO_FLAGS)

test-tableau: setup ## workbooks and .hyper files against Tableau's own schemas and libraries, which it fetches: 260 MB
	@tools/test-tableau $(CARGO_FLAGS)

KILLS ?= 60
SEED ?= $$(date +%s)

crash: setup ## kills the program KILLS times at random instants, by a SEED that is printed
	DELOTON_CRASH_KILLS=$(KILLS) DELOTON_CRASH_SEED=$(SEED) \
		cargo test --locked $(CARGO_FLAGS) --test integration chaos:: -- --nocapture

test-peers: setup ## against real peers that nobody here wrote, where ../shared has the scripts that start them
	@tools/test-peers $(CARGO_FLAGS)

bench: setup ## the benchmarks, each with its yardstick
	cargo bench --locked -p deloton-benches $(CARGO_FLAGS)

bench-api: setup ## the API over a year of rides, beside a service of FastAPI and DuckDB: 6 GB in target/, about 20 minutes
	@tools/bench-api $(CARGO_FLAGS)

fuzz: ## feeds nonsense to whatever reads what comes from outside, FUZZ_SECONDS a target; needs a nightly compiler
	@command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
	@cd fuzz && for target in envelope line header address name; do \
		mkdir -p corpus/$$target; \
		cargo +nightly fuzz run -O $$target corpus/$$target seeds/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=4096 -print_final_stats=1 || exit 1; \
	done

lint: setup ## format, clippy, docs, and that what is fuzzed still compiles by itself
	cargo fmt --check
	cargo clippy --locked --all-targets $(CARGO_FLAGS) -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --locked --no-deps --document-private-items $(CARGO_FLAGS)
	cargo check --locked --lib --manifest-path fuzz/Cargo.toml --target-dir target/fuzz

setup:
	@tools/setup
