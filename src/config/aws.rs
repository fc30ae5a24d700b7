//! What Amazon's own tools read from the environment and `~/.aws`: region, credentials, profile.

use std::time::Duration;

use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig, meta::region::RegionProviderChain, timeout::TimeoutConfig};

/// The region that services other than AWS's are told, where none is set: their protocol needs one, they do not.
const REGION_OF_OTHER_SERVICES: &str = "eu-west-2";

/// A connection that takes longer than this is not coming; an attempt that takes longer has been forgotten.
const CONNECT: Duration = Duration::from_secs(5);
const ATTEMPT: Duration = Duration::from_secs(60);

/// The configuration that every client starts from. `endpoint_url` names a service other than AWS's own.
pub async fn load(endpoint_url: Option<&str>) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
        .build();
    let loader: ConfigLoader = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts);
    match endpoint_url {
        Some(url) => {
            let region = RegionProviderChain::default_provider().or_else(REGION_OF_OTHER_SERVICES);
            loader.endpoint_url(url).region(region).load().await
        }
        None => loader.load().await,
    }
}
