//! One binary for all integration tests: linking DuckDB takes seconds each time.

mod captures;
