//! A message's bytes: never a panic, and where JSON has an answer, the same one.
#![no_main]

use deloton_fuzz::ingest::parse::open_envelope;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|message: &[u8]| {
    let opened = open_envelope(message);
    let Ok(json) = serde_json::from_slice::<Value>(message) else {
        return;
    };
    let text = |name: &str| json.get(name).and_then(Value::as_str);
    match text("log") {
        None => assert!(opened.is_err()),
        Some(log) => {
            let envelope = opened.expect("JSON has an answer");
            assert_eq!(envelope.line, log.trim_end_matches(['\n', '\r']));
            assert_eq!(envelope.key.as_deref(), text("key").filter(|key| !key.is_empty()));
        }
    }
});
