//! The `deloton` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    deloton::cli::main()
}
