//! Trying a connection to brokers that refuse something.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use chrono::TimeDelta;
use chrono_tz::Tz;

use super::*;
use crate::config::settings::StartAt;

/// What a broker refuses.
#[derive(Clone, Copy, PartialEq)]
enum Refuses {
    Login,
    Group,
}

/// A broker that knows as much of Kafka's protocol as it takes to refuse something; where it listens.
fn broker(refuses: Refuses) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let port = i32::from(address.port());
            thread::spawn(move || serve(stream.unwrap(), refuses, port));
        }
    });
    address.to_string()
}

/// Answers one connection's requests, of the oldest versions there are.
fn serve(mut stream: TcpStream, refuses: Refuses, port: i32) {
    const METADATA: i16 = 3;
    const FIND_COORDINATOR: i16 = 10;
    const SASL_HANDSHAKE: i16 = 17;
    const API_VERSIONS: i16 = 18;
    const SASL_AUTHENTICATE: i16 = 36;
    const GROUP_AUTHORIZATION_FAILED: i16 = 30;
    const UNSUPPORTED_VERSION: i16 = 35;
    const SASL_AUTHENTICATION_FAILED: i16 = 58;

    let mut length = [0; 4];
    while stream.read_exact(&mut length).is_ok() {
        let mut request = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut request).unwrap();
        let number = |at: usize| i16::from_be_bytes([request[at], request[at + 1]]);
        let (api, version, correlation) = (number(0), number(2), &request[4..8]);
        let mut answer = correlation.to_vec();
        let mut put = |bytes: &[u8]| answer.extend_from_slice(bytes);
        let text = |text: &str| [&(text.len() as i16).to_be_bytes()[..], text.as_bytes()].concat();
        let count = |count: i32| count.to_be_bytes();
        match api {
            API_VERSIONS => {
                put(&if version == 0 { 0 } else { UNSUPPORTED_VERSION }.to_be_bytes());
                let known = [
                    0,
                    1,
                    METADATA,
                    8,
                    9,
                    FIND_COORDINATOR,
                    11,
                    12,
                    13,
                    14,
                    SASL_HANDSHAKE,
                    API_VERSIONS,
                    SASL_AUTHENTICATE,
                ];
                put(&count(known.len() as i32));
                for key in known {
                    let newest = i16::from(key == SASL_HANDSHAKE);
                    [key, 0, newest].iter().for_each(|number| put(&number.to_be_bytes()));
                }
            }
            SASL_HANDSHAKE => {
                put(&0_i16.to_be_bytes());
                put(&count(1));
                put(&text("PLAIN"));
            }
            SASL_AUTHENTICATE => {
                put(&SASL_AUTHENTICATION_FAILED.to_be_bytes());
                put(&text("Authentication failed: no such user"));
                put(&count(0));
            }
            METADATA => {
                put(&count(1));
                put(&count(1));
                put(&text("127.0.0.1"));
                put(&count(port));
                put(&count(1));
                put(&0_i16.to_be_bytes());
                put(&text("deloton"));
                put(&count(1));
                put(&0_i16.to_be_bytes());
                // Partition 0, led by broker 1, which has the only replica.
                [0, 1, 1, 1, 1, 1].iter().for_each(|number| put(&count(*number)));
            }
            FIND_COORDINATOR if refuses == Refuses::Group => {
                put(&GROUP_AUTHORIZATION_FAILED.to_be_bytes());
                put(&count(-1));
                put(&text(""));
                put(&count(-1));
            }
            _ => return,
        }
        stream.write_all(&count(answer.len() as i32)).unwrap();
        stream.write_all(&answer).unwrap();
    }
}

/// The names of the steps that went well, and what failed.
fn tried(brokers: String, properties: &[&str]) -> (Vec<&'static str>, &'static str, String) {
    let config = KafkaConfig {
        brokers,
        topic: "deloton".to_owned(),
        group: "bikes".to_owned(),
        start: StartAt::Earliest,
        properties: properties.iter().map(|text| text.parse().unwrap()).collect(),
        lookback: TimeDelta::hours(2),
        log_timezone: Tz::UTC,
        identity: None,
        node: "node".to_owned(),
    };
    let mut steps = probe(&config);
    let last = steps.pop().unwrap();
    let fine = steps.iter().map(|step| {
        assert!(step.outcome.is_ok(), "{step:?}");
        step.name
    });
    (fine.collect(), last.name, last.outcome.unwrap_err())
}

#[test]
fn a_login_that_is_refused_is_told_from_what_came_before_it() {
    let login = [
        "security.protocol=SASL_PLAINTEXT",
        "sasl.username=somebody",
        "sasl.password=a secret",
    ];
    let with = |mechanism: &'static str| tried(broker(Refuses::Login), &[&login[..], &[mechanism]].concat());
    let (fine, step, reason) = with("sasl.mechanisms=PLAIN");
    assert_eq!((fine, step), (vec!["name", "connection", "TLS"], "login"), "{reason}");
    assert!(
        reason.contains("refused the login; check `sasl.mechanisms`"),
        "{reason}"
    );
    assert!(
        reason.contains("no such user") && !reason.contains("a secret"),
        "{reason}"
    );
    let (_, step, reason) = with("sasl.mechanisms=SCRAM-SHA-256");
    assert_eq!(step, "login", "{reason}");
}

#[test]
fn a_group_that_may_not_be_used_is_named() {
    let (fine, step, reason) = tried(broker(Refuses::Group), &[]);
    assert_eq!(
        (fine, step),
        (vec!["name", "connection", "TLS", "login", "answer", "topic"], "group"),
        "{reason}"
    );
    assert!(
        reason.contains("may not use the consumer group `bikes`; grant it `Read`"),
        "{reason}"
    );
}
