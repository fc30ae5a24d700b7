//! What librdkafka's errors mean to the person who has to do something about them.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// An error in words: what is wrong, what to do, and librdkafka's own reason.
pub(super) fn explain(code: Code, reason: &str, topic: &str, group: &str) -> String {
    let words = match code {
        Code::Resolve => "a broker's name cannot be resolved; check `--kafka-brokers`".to_owned(),
        Code::BrokerTransportFailure | Code::AllBrokersDown | Code::OperationTimedOut | Code::NetworkException => {
            "no broker can be reached; check `--kafka-brokers` and the network".to_owned()
        }
        Code::SSL => {
            "the TLS connection to the broker failed; check `ssl.ca.location` and `security.protocol`".to_owned()
        }
        Code::Authentication | Code::SaslAuthenticationFailed => {
            "the broker refused the login; check `sasl.mechanisms`, `sasl.username` and `sasl.password`".to_owned()
        }
        Code::UnsupportedSASLMechanism => "the broker does not know this `sasl.mechanisms`".to_owned(),
        Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => {
            format!(
                "the topic `{topic}` does not exist (yet), or the login may not see it; create it or check `--kafka-topic`"
            )
        }
        Code::TopicAuthorizationFailed => format!("the login may not read the topic `{topic}`; grant it `Read`"),
        Code::GroupAuthorizationFailed => {
            format!("the login may not use the consumer group `{group}`; grant it `Read` or check `--kafka-group`")
        }
        Code::ClusterAuthorizationFailed => "the login may not use this cluster".to_owned(),
        other => format!("Kafka: {other}"),
    };
    if reason.is_empty() {
        words
    } else {
        format!("{words} ({reason})")
    }
}

/// The same for an error without a reason of its own.
pub(super) fn explain_error(error: &KafkaError, topic: &str, group: &str) -> String {
    match error.rdkafka_error_code() {
        Some(code) => explain(code, "", topic, group),
        None => error.to_string(),
    }
}
