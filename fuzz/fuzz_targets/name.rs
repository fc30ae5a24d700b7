//! A name of any shape: forename and surname are its own, trimmed and not empty.
#![no_main]

use deloton_fuzz::{domain::rider::split_name, lies_within};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|name: &str| {
    let (forename, surname) = split_name(name);
    for part in [forename, surname].into_iter().flatten() {
        assert!(!part.is_empty() && part.trim() == part && lies_within(part, name));
    }
    assert!(forename.is_some() || surname.is_none());
});
