//! Tells the linker where the shared DuckDB library is, as the program's own build script does.

use std::env;

fn main() {
    println!("cargo::rerun-if-env-changed=DUCKDB_LIB_DIR");
    println!("cargo::rerun-if-changed=build.rs");
    if let Some(directory) = env::var_os("DUCKDB_LIB_DIR") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", directory.display());
    }
}
