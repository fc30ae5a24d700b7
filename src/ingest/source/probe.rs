//! Trying a connection step by step, to say which step fails.

use std::{
    ffi::CString,
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    time::{Duration, Instant},
};

use rdkafka::{
    TopicPartitionList,
    config::FromClientConfigAndContext,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode as Code},
    metadata::Metadata,
};

use super::{
    KafkaConfig,
    client::{Context, Report},
    client_state::serve_events,
    config::refused,
    scan::ANSWER_TIMEOUT,
    words::{explain, explain_error},
};
use crate::config::settings::KafkaProperty;

/// How long a broker may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

const TLS: &str = "TLS";
const LOGIN: &str = "login";
const ANSWER: &str = "answer";

/// One step of connecting, and how it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What was tried: `name`, `connection`, `TLS`, `login`, `answer`, `topic`, `group`.
    pub name: &'static str,
    /// What was found, or what is wrong and what to do.
    pub outcome: Result<String, String>,
}

/// Tries one step after the other, up to the first that fails.
#[must_use]
pub fn probe(config: &KafkaConfig) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut step = |name, outcome: Result<String, String>| {
        let goes_on = outcome.is_ok();
        steps.push(Step { name, outcome });
        goes_on
    };
    let found = resolve(&config.brokers);
    let addresses = found
        .as_ref()
        .map(|(addresses, _)| addresses.clone())
        .unwrap_or_default();
    if !step("name", found.map(|(_, words)| words)) || !step("connection", reach(&addresses)) {
        return steps;
    }
    let consumer = match BaseConsumer::from_config_and_context(&config.client_config(), Context::default()) {
        Ok(consumer) => consumer,
        Err(error) => {
            step("settings", Err(format!("{:#}", refused(error))));
            return steps;
        }
    };
    // What librdkafka tells once, at whichever step it comes.
    let mut told = None;
    match ask(config, &consumer, &mut told) {
        Err(failure) => {
            if failure.step == LOGIN {
                step(TLS, Ok(tls(config)));
            }
            step(failure.step, Err(failure.words));
        }
        Ok(metadata) => {
            step(TLS, Ok(tls(config)));
            step(LOGIN, Ok(login(config)));
            step(ANSWER, Ok(answering(&metadata)));
            if step("topic", topic(config, &metadata)) {
                step("group", group(config, &consumer, told));
            }
        }
    }
    consumer.context().close();
    steps
}

fn answering(metadata: &Metadata) -> String {
    match metadata.brokers().len() {
        1 => "the cluster answers; it has 1 broker".to_owned(),
        count => format!("the cluster answers; it has {count} brokers"),
    }
}

fn resolve(brokers: &str) -> Result<(Vec<SocketAddr>, String), String> {
    let mut addresses = Vec::new();
    let mut wrong = Vec::new();
    for broker in brokers.split(',').map(str::trim).filter(|broker| !broker.is_empty()) {
        let named = broker.rsplit_once("://").map_or(broker, |(_, address)| address);
        let with_port = if named.contains(':') {
            named.to_owned()
        } else {
            format!("{named}:9092")
        };
        match with_port.to_socket_addrs() {
            Ok(found) => addresses.extend(found),
            Err(error) => wrong.push(format!("`{broker}` cannot be resolved ({error})")),
        }
    }
    // Any one of them is enough to find the others.
    if addresses.is_empty() {
        return Err(format!("{}; check `--kafka-brokers`", wrong.join("; ")));
    }
    let list: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
    let words = [vec![format!("{brokers} is {}", list.join(", "))], wrong]
        .concat()
        .join("; ");
    Ok((addresses, words))
}

fn reach(addresses: &[SocketAddr]) -> Result<String, String> {
    let mut wrong = Vec::new();
    for address in addresses {
        match TcpStream::connect_timeout(address, CONNECT_TIMEOUT) {
            Ok(_) => return Ok(format!("{address} accepts connections")),
            Err(error) => wrong.push(format!("{address} does not ({error})")),
        }
    }
    Err(format!(
        "no broker accepts a connection: {}; check the port, the firewall, and that the broker runs",
        wrong.join("; ")
    ))
}

/// Why a broker that accepts connections does not answer, and the step that is to blame.
struct Failure {
    step: &'static str,
    words: String,
}

/// Asks which topics there are: of all, as asking for one may have an old broker make it.
fn ask(
    config: &KafkaConfig,
    consumer: &BaseConsumer<Context>,
    told: &mut Option<KafkaError>,
) -> Result<Metadata, Failure> {
    let deadline = Instant::now() + 2 * ANSWER_TIMEOUT;
    let explained = |code: Code, reason: &str| explain(code, reason, &config.topic, &config.group);
    let mut heard = None;
    loop {
        let answer = consumer.fetch_metadata(None, Duration::from_secs(1));
        *told = serve_events(consumer).or(told.take());
        let error = match answer {
            Ok(metadata) => return Ok(metadata),
            Err(error) => error,
        };
        for report in consumer.context().take_reports() {
            let Report::Error(code, reason) = report else { continue };
            let step = match code {
                Code::SSL => TLS,
                Code::Authentication | Code::SaslAuthenticationFailed | Code::UnsupportedSASLMechanism => LOGIN,
                Code::AllBrokersDown => continue,
                _ => {
                    heard = Some(reason);
                    continue;
                }
            };
            let words = explained(code, &reason);
            return Err(Failure { step, words });
        }
        if Instant::now() > deadline {
            let reason = heard.unwrap_or_else(|| error.to_string());
            let hint = if is_encrypted(config) {
                "check that the port is one for TLS"
            } else {
                "if it expects TLS, set `security.protocol` to `SSL` or `SASL_SSL`"
            };
            return Err(Failure {
                step: ANSWER,
                words: format!(
                    "a broker accepts the connection but does not answer as Kafka does ({reason}); {hint}; a broker before \
                     0.10 needs `api.version.request=false` and `broker.version.fallback`"
                ),
            });
        }
    }
}

/// The value of `security.protocol`, in capitals.
fn protocol(config: &KafkaConfig) -> String {
    let of = |property: &&KafkaProperty| property.key == "security.protocol";
    let set = config.properties.iter().rev().find(of);
    set.map_or_else(|| "PLAINTEXT".to_owned(), |property| property.value.to_uppercase())
}

fn is_encrypted(config: &KafkaConfig) -> bool {
    protocol(config).ends_with("SSL")
}

fn tls(config: &KafkaConfig) -> String {
    if is_encrypted(config) {
        "the broker's certificate is good".to_owned()
    } else {
        format!("not used: `security.protocol` is {}", protocol(config))
    }
}

fn login(config: &KafkaConfig) -> String {
    if protocol(config).starts_with("SASL") {
        "accepted".to_owned()
    } else {
        format!("not used: `security.protocol` is {}", protocol(config))
    }
}

fn topic(config: &KafkaConfig, metadata: &Metadata) -> Result<String, String> {
    let explained = |code: Code| explain(code, "", &config.topic, &config.group);
    let topic = metadata.topics().iter().find(|topic| topic.name() == config.topic);
    match topic {
        // One that the login may not see is not named either.
        None => Err(explained(Code::UnknownTopic)),
        Some(topic) => match (topic.error(), topic.partitions().len()) {
            (Some(error), _) => Err(explained(error.into())),
            (None, 0) => Err(explained(Code::UnknownTopic)),
            (None, 1) => Ok(format!("`{}` has 1 partition", config.topic)),
            (None, count) => Ok(format!("`{}` has {count} partitions", config.topic)),
        },
    }
}

fn group(config: &KafkaConfig, consumer: &BaseConsumer<Context>, told: Option<KafkaError>) -> Result<String, String> {
    if CString::new(config.topic.as_str()).is_err() {
        return Err(format!("`{}` is no name of a topic", config.topic));
    }
    let mut list = TopicPartitionList::new();
    list.add_partition(&config.topic, 0);
    consumer
        .committed_offsets(list, 2 * ANSWER_TIMEOUT)
        .map(|_| format!("`{}` may be used", config.group))
        .map_err(|error| {
            // The call itself only says that it waited too long for a coordinator.
            let told = serve_events(consumer).or(told);
            explain_error(&told.unwrap_or(error), &config.topic, &config.group)
        })
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
