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
    error::RDKafkaErrorCode as Code,
    metadata::Metadata,
};

use super::{
    KafkaConfig,
    client::{Context, Report},
    config::refused,
    scan::ANSWER_TIMEOUT,
    words::{explain, explain_error},
};

/// How long a broker may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// One step of connecting, and how it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What was tried: `name`, `connection`, `TLS and login`, `topic`, `group`.
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
    match log_in(config, &consumer) {
        Err(words) => {
            step("TLS and login", Err(words));
        }
        Ok(metadata) => {
            step("TLS and login", Ok(answering(&metadata)));
            if step("topic", topic(config, &metadata)) {
                step("group", group(config, &consumer));
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

/// TLS and the login are one step to librdkafka, which says which of the two failed.
fn log_in(config: &KafkaConfig, consumer: &BaseConsumer<Context>) -> Result<Metadata, String> {
    let deadline = Instant::now() + 2 * ANSWER_TIMEOUT;
    loop {
        let answer = consumer.fetch_metadata(Some(&config.topic), Duration::from_secs(1));
        while consumer.poll(Duration::ZERO).is_some() {}
        let error = match answer {
            Ok(metadata) => return Ok(metadata),
            Err(error) => error,
        };
        for report in consumer.context().take_reports() {
            if let Report::Error(code, reason) = report
                && !matches!(code, Code::AllBrokersDown)
            {
                return Err(explain(code, &reason, &config.topic, &config.group));
            }
        }
        if Instant::now() > deadline {
            return Err(format!(
                "a broker accepts the connection but does not answer as Kafka does: {}; if it expects TLS, set \
                 `security.protocol` to `SSL` or `SASL_SSL`",
                explain_error(&error, &config.topic, &config.group)
            ));
        }
    }
}

fn topic(config: &KafkaConfig, metadata: &Metadata) -> Result<String, String> {
    let explained = |code: Code| explain(code, "", &config.topic, &config.group);
    let topic = metadata.topics().iter().find(|topic| topic.name() == config.topic);
    match topic {
        None => Err(explained(Code::UnknownTopic)),
        Some(topic) => match (topic.error(), topic.partitions().len()) {
            (Some(error), _) => Err(explained(error.into())),
            (None, 0) => Err(explained(Code::UnknownTopic)),
            (None, 1) => Ok(format!("`{}` has 1 partition", config.topic)),
            (None, count) => Ok(format!("`{}` has {count} partitions", config.topic)),
        },
    }
}

fn group(config: &KafkaConfig, consumer: &BaseConsumer<Context>) -> Result<String, String> {
    if CString::new(config.topic.as_str()).is_err() {
        return Err(format!("`{}` is no name of a topic", config.topic));
    }
    let mut list = TopicPartitionList::new();
    list.add_partition(&config.topic, 0);
    consumer
        .committed_offsets(list, 2 * ANSWER_TIMEOUT)
        .map(|_| format!("`{}` may be used", config.group))
        .map_err(|error| explain_error(&error, &config.topic, &config.group))
}
