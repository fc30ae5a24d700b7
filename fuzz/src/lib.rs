//! The files under test, compiled by themselves.

#[path = "."]
pub mod domain {
    #[path = "../../src/domain/event.rs"]
    pub mod event;
    #[path = "../../src/domain/rider.rs"]
    pub mod rider;
}

#[path = "."]
pub mod ingest {
    #[path = "../../src/ingest/parse.rs"]
    pub mod parse;
}

/// Whether `part` lies within `whole`: what is split is never made up.
pub fn lies_within(part: &str, whole: &str) -> bool {
    whole.as_bytes().as_ptr_range().contains(&part.as_ptr()) && whole.contains(part)
}
