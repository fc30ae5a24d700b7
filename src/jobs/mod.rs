#[cfg(test)]
mod daily_tables_tests;
pub mod sql_files;
pub mod transform;
