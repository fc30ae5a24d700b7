pub mod sql_files;
pub mod transform;
