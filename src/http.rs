//! Calls of other programs' servers. Redirections are not followed: what a call carries is for whom it was addressed to.

use std::time::Duration;

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector};

/// Calls plain or by TLS; `connect` and `answer` is how long it waits.
#[must_use]
pub fn connector(connect: Duration, answer: Duration) -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(connect)
        .read_timeout(answer)
        .build();
    let connector = Connector::builder()
        .connector_settings(settings)
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .build();
    SharedHttpConnector::new(connector)
}
