//! The settings of a Kafka source as librdkafka's properties, with every mistake found in words before a broker is asked.

use std::path::Path;

use anyhow::{Context as _, bail};
use chrono::TimeDelta;
use chrono_tz::Tz;
use rdkafka::{ClientConfig, config::RDKafkaLogLevel, error::KafkaError};

use crate::config::settings::{KafkaProperty, Settings, StartAt};

/// Properties on which exactly-once stands, and what they are.
const OURS: [(&str, &str); 4] = [
    // Offsets are stored with the rows they cover, in one transaction; Kafka's copy is for lag tools and the next owner.
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    // A lost offset has to be recorded as a gap before anything goes on.
    ("auto.offset.reset", "error"),
    ("enable.partition.eof", "true"),
];

/// Properties that have a setting of their own.
const SETTINGS: [(&str, &str); 3] = [
    ("bootstrap.servers", "--kafka-brokers"),
    ("metadata.broker.list", "--kafka-brokers"),
    ("group.id", "--kafka-group"),
];

/// Better than librdkafka's defaults for us; any of them can be overruled.
const DEFAULTS: [(&str, &str); 7] = [
    // Only the partitions that move are given up when a consumer joins or leaves.
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("client.id", "deloton"),
    // A topic that is made after us is found in seconds, not minutes.
    ("topic.metadata.refresh.interval.ms", "10000"),
    // At most so much is read ahead, whatever the number of partitions.
    ("queued.max.messages.kbytes", "32768"),
    // When that is full, the next look is not a second away, by which everything would be read, and waited for.
    ("fetch.queue.backoff.ms", "10"),
    // Kafka answers a fetch when there is something; the embedded broker, when there was nothing, only after this time.
    ("fetch.wait.max.ms", "100"),
    ("reconnect.backoff.max.ms", "5000"),
];

/// What a Kafka source needs to know.
#[derive(Clone)]
pub struct KafkaConfig {
    /// `host:port,host:port`.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// The consumer group.
    pub group: String,
    /// Every other librdkafka property; may hold secrets.
    pub properties: Vec<KafkaProperty>,
    /// Where a first start begins.
    pub start: StartAt,
    /// How far [`StartAt::Lookback`] goes back at most, on the log's clock.
    pub lookback: TimeDelta,
    /// Zone of the log's stamps.
    pub log_timezone: Tz,
    /// The log's identity, where the cluster's id does not tell one log from the next (the embedded broker).
    pub identity: Option<String>,
    /// What tells this consumer's store from those of the others in its group.
    pub node: String,
}

impl KafkaConfig {
    /// The source that the settings describe, for a store that is not known yet.
    ///
    /// # Errors
    /// When no brokers are set.
    pub fn from_settings(settings: &Settings) -> anyhow::Result<Self> {
        let brokers = settings
            .kafka_brokers
            .clone()
            .context("no Kafka brokers are set; give `--kafka-brokers host:port`")?;
        Ok(KafkaConfig {
            brokers,
            topic: settings.kafka_topic.clone(),
            group: settings.kafka_group.clone(),
            properties: settings.kafka_properties.clone(),
            start: settings.start,
            lookback: settings.lookback,
            log_timezone: settings.log_timezone,
            identity: None,
            node: String::new(),
        })
    }

    /// Finds every mistake that can be found without a broker.
    ///
    /// # Errors
    /// All of them, in words; never with a property's value.
    pub fn check(&self) -> anyhow::Result<()> {
        let mut wrong = Vec::new();
        if self.brokers.split(',').all(|broker| broker.trim().is_empty()) {
            wrong.push("`--kafka-brokers` is empty, expected `host:port,host:port`".to_owned());
        }
        for KafkaProperty { key, .. } in &self.properties {
            if let Some((_, value)) = OURS.iter().find(|(ours, _)| ours == key) {
                wrong.push(format!(
                    "`{key}` cannot be set: it has to be `{value}` for every reading to count once"
                ));
            }
            if let Some((_, flag)) = SETTINGS.iter().find(|(known, _)| known == key) {
                wrong.push(format!("`{key}` is set by `{flag}`"));
            }
        }
        self.check_login(&mut wrong);
        if let Some(file) = self.property(&["ssl.ca.location"])
            && file != "probe"
            && !Path::new(file).exists()
        {
            wrong.push("the file that `ssl.ca.location` names does not exist".to_owned());
        }
        if !wrong.is_empty() {
            bail!("the Kafka settings are wrong: {}", wrong.join("; "));
        }
        self.client_config().create_native_config().map(|_| ()).map_err(refused)
    }

    fn check_login(&self, wrong: &mut Vec<String>) {
        let protocol = self
            .property(&["security.protocol"])
            .unwrap_or("plaintext")
            .to_ascii_lowercase();
        let mechanism = self
            .property(&["sasl.mechanisms", "sasl.mechanism"])
            .map(str::to_ascii_uppercase);
        let is_sasl = protocol.starts_with("sasl_");
        if !is_sasl && self.properties.iter().any(|property| property.key.starts_with("sasl.")) {
            wrong.push("a login (`sasl.…`) is given but not used: set `security.protocol=SASL_SSL`".to_owned());
        }
        match mechanism.as_deref() {
            None if is_sasl => {
                wrong.push("`security.protocol` asks for a login: set `sasl.mechanisms`, e.g. to `PLAIN`".to_owned());
            }
            Some("PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512") if is_sasl => {
                for name in ["sasl.username", "sasl.password"] {
                    if self.property(&[name]).is_none_or(str::is_empty) {
                        wrong.push(format!("the login lacks `{name}`; give it in DELOTON_KAFKA_PROPERTIES"));
                    }
                }
            }
            Some("GSSAPI") => wrong.push(
                "`sasl.mechanisms` is `GSSAPI` (Kerberos), which this program is built without; use PLAIN, \
                 SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"
                    .to_owned(),
            ),
            _ => {}
        }
    }

    fn property(&self, names: &[&str]) -> Option<&str> {
        self.properties
            .iter()
            .rev()
            .find(|property| names.contains(&property.key.as_str()))
            .map(|found| &*found.value)
    }

    /// All properties: our defaults, the given ones, and those that are not for choosing.
    pub(super) fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Warning);
        for (key, value) in DEFAULTS {
            config.set(key, value);
        }
        for KafkaProperty { key, value } in &self.properties {
            config.set(key, value);
        }
        config
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", &self.group);
        for (key, value) in OURS {
            config.set(key, value);
        }
        config
    }
}

/// What librdkafka has against a property, without the property's value, which may be a secret.
pub(super) fn refused(error: KafkaError) -> anyhow::Error {
    match error {
        KafkaError::ClientConfig(_, why, key, value) => {
            let why = if value.is_empty() {
                why
            } else {
                why.replace(&value, "…")
            };
            anyhow::anyhow!("the Kafka property `{key}` is wrong: {why}")
        }
        KafkaError::ClientCreation(why) => anyhow::anyhow!("the Kafka settings are wrong: {why}"),
        other => anyhow::Error::new(other).context("the Kafka settings are wrong"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(properties: &[&str]) -> KafkaConfig {
        KafkaConfig {
            brokers: "127.0.0.1:1".to_owned(),
            topic: "deloton".to_owned(),
            group: "deloton".to_owned(),
            properties: properties.iter().map(|text| text.parse().unwrap()).collect(),
            start: StartAt::Lookback,
            lookback: TimeDelta::hours(2),
            log_timezone: Tz::UTC,
            identity: None,
            node: "node".to_owned(),
        }
    }

    fn wrong(properties: &[&str]) -> String {
        format!("{:#}", config(properties).check().unwrap_err())
    }

    #[test]
    fn good_settings_pass_and_reach_librdkafka() {
        let config = config(&[
            "security.protocol=SASL_SSL",
            "sasl.mechanisms=SCRAM-SHA-512",
            "sasl.username=bike",
            "sasl.password=hunter2",
            "fetch.wait.max.ms=50",
            "client.id=night-shift",
        ]);
        config.check().unwrap();
        let native = config.client_config();
        assert_eq!(native.get("fetch.wait.max.ms"), Some("50"));
        assert_eq!(native.get("client.id"), Some("night-shift"));
        assert_eq!(native.get("enable.auto.commit"), Some("false"));
    }

    #[test]
    fn every_mistake_in_a_login_is_said_in_words() {
        let text = wrong(&["security.protocol=SASL_SSL", "sasl.mechanisms=PLAIN", "sasl.username="]);
        assert!(
            text.contains("lacks `sasl.username`") && text.contains("lacks `sasl.password`"),
            "{text}"
        );
        assert!(wrong(&["security.protocol=SASL_SSL"]).contains("set `sasl.mechanisms`"));
        assert!(wrong(&["sasl.username=bike"]).contains("set `security.protocol=SASL_SSL`"));
        assert!(wrong(&["security.protocol=SASL_SSL", "sasl.mechanisms=GSSAPI"]).contains("Kerberos"));
        assert!(wrong(&["ssl.ca.location=/does/not/exist.pem"]).contains("`ssl.ca.location` names does not exist"));
    }

    #[test]
    fn what_exactly_once_stands_on_cannot_be_changed() {
        let text = wrong(&["enable.auto.commit=true", "auto.offset.reset=latest", "group.id=other"]);
        for part in [
            "`enable.auto.commit` cannot be set",
            "`auto.offset.reset` cannot",
            "set by `--kafka-group`",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn a_refused_property_is_named_and_its_value_is_not() {
        let text = wrong(&["session.timeout.ms=hunter2"]);
        assert!(
            text.contains("`session.timeout.ms`") && !text.contains("hunter2"),
            "{text}"
        );
        assert!(wrong(&["sesion.timeout.ms=1"]).contains("`sesion.timeout.ms`"));
    }
}
