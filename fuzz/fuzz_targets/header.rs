//! The JSON of a header, and what is made of its rider: never a panic, nothing impossible.
#![no_main]

use chrono::DateTime;
use deloton_fuzz::{
    domain::rider::{age_at, postcode_area, split_address, split_name},
    ingest::parse::parse_user_data,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &str| {
    let Ok(user) = parse_user_data(json) else { return };
    let rider = user.rider;
    for text in [
        &rider.name,
        &rider.address,
        &rider.email_address,
        &rider.original_source,
        &user.bike_serial,
    ] {
        assert!(text.as_ref().is_none_or(|text| !text.is_empty() && text.trim() == text));
    }
    for size in [rider.height_cm, rider.weight_kg] {
        assert!(size.is_none_or(|size| size > 0));
    }
    if let Some(born) = rider.date_of_birth {
        for at in [
            DateTime::UNIX_EPOCH,
            DateTime::from_timestamp_millis(1_800_000_000_000).unwrap(),
        ] {
            assert!(age_at(born, at).is_none_or(|age| age >= 0));
        }
    }
    rider.name.as_deref().map(split_name);
    rider
        .address
        .as_deref()
        .map(|address| split_address(address).postcode.map(postcode_area));
});
