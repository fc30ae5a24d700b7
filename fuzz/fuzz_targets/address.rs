//! An address of any shape: its parts are its own, trimmed and not empty.
#![no_main]

use deloton_fuzz::{
    domain::rider::{postcode_area, split_address},
    lies_within,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|address: &str| {
    let parts = split_address(address);
    for part in [parts.street, parts.town, parts.postcode].into_iter().flatten() {
        assert!(!part.is_empty() && part.trim() == part && lies_within(part, address));
    }
    if let Some(area) = parts.postcode.and_then(postcode_area) {
        assert!((1..=2).contains(&area.len()) && area.bytes().all(|byte| byte.is_ascii_uppercase()));
    }
});
