//! What a bench ends with.

/// Prints the line that a bench ends with.
pub(crate) fn verdict(figure: &str, required: &str, yardsticks: &[String]) {
    println!("\n{figure} (required: {required}); {}\n", yardsticks.join("; "));
}
