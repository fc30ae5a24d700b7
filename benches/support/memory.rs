//! The peak memory of one piece of work, done by this very program in a process of its own.

use std::{env, fs, path::Path, process::Command};

const FLAG: &str = "--measure-memory-of";

/// The arguments of a process that is to do its work and report; none in the bench itself.
pub(crate) fn arguments<const N: usize>() -> Option<[String; N]> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.split_first() {
        Some((flag, rest)) if flag == FLAG => rest.to_vec().try_into().ok(),
        _ => None,
    }
}

/// Ends a process that [`peak_of_child`] started: says what its memory was at most.
pub(crate) fn report_peak() {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = status.lines().find_map(|line| {
        line.strip_prefix("VmHWM:")?
            .trim()
            .strip_suffix("kB")?
            .trim()
            .parse::<u64>()
            .ok()
    });
    match kilobytes {
        Some(kilobytes) => println!("{} MB", kilobytes * 1024 / 1_000_000),
        None => println!("unknown (no /proc here)"),
    }
}

/// Runs this program with `arguments`; answers the peak of its resident memory, with its unit.
pub(crate) fn peak_of_child(arguments: &[&Path]) -> String {
    let program = env::current_exe().expect("a bench knows its own file");
    let output = Command::new(program)
        .arg(FLAG)
        .args(arguments)
        .output()
        .expect("a bench can be started again");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
