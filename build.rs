//! Tells the linker where the shared DuckDB library will be at run time: beside the binary (as shipped), else where
//! it was at build time (as developed).

use std::env;

fn main() {
    println!("cargo::rerun-if-env-changed=DUCKDB_LIB_DIR");
    println!("cargo::rerun-if-changed=build.rs");
    // Compiled into the binary: a file added there must reach it.
    println!("cargo::rerun-if-changed=templates");
    println!("cargo::rerun-if-changed=site/static");
    println!("cargo::rerun-if-changed=jobs");
    if env::var_os("CARGO_FEATURE_BUNDLED").is_none() {
        println!("cargo::rustc-link-arg=-Wl,-rpath,$ORIGIN");
        if let Some(directory) = env::var_os("DUCKDB_LIB_DIR") {
            println!("cargo::rustc-link-arg=-Wl,-rpath,{}", directory.display());
        }
    }
}
