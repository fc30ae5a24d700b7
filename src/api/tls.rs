//! The server's certificate: read from two files, and again whenever they change.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use anyhow::{Context, bail};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_rustls::TlsAcceptor;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The texts of the two files.
type Texts = (Vec<u8>, Vec<u8>);

/// A certificate and its key.
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<(Texts, TlsAcceptor)>,
}

impl Tls {
    /// With the chain in `certificate` and the key in `key`, both PEM.
    ///
    /// # Errors
    /// When they cannot be read, or do not belong together.
    pub fn open(certificate: PathBuf, key: PathBuf) -> anyhow::Result<Self> {
        let texts = read(&certificate, &key)?;
        let acceptor = acceptor(&texts).with_context(|| {
            format!(
                "cannot serve TLS with `{}` and `{}`",
                certificate.display(),
                key.display()
            )
        })?;
        Ok(Tls {
            certificate,
            key,
            current: RwLock::new((texts, acceptor)),
        })
    }

    /// What new connections are shaken hands with.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.current.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// Takes over what changes in the files, for ever. What cannot be used is said once and changes nothing.
    pub(super) async fn follow(&self) {
        let mut told = None;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let look = || self.look();
            match look() {
                Ok(changed) => {
                    if changed {
                        tracing::info!("the TLS certificate was changed; new connections get the new one");
                    }
                    told = None;
                }
                Err(error) => {
                    let words = format!("{error:#}");
                    if told.as_ref() != Some(&words) {
                        tracing::error!("the changed TLS certificate cannot be used, the one before goes on: {words}");
                        told = Some(words);
                    }
                }
            }
        }
    }

    /// Takes over what has changed; whether anything has.
    fn look(&self) -> anyhow::Result<bool> {
        let texts = read(&self.certificate, &self.key)?;
        if self.current.read().unwrap_or_else(PoisonError::into_inner).0 == texts {
            return Ok(false);
        }
        let acceptor = acceptor(&texts)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = (texts, acceptor);
        Ok(true)
    }
}

fn read(certificate: &PathBuf, key: &PathBuf) -> anyhow::Result<Texts> {
    let read = |path: &PathBuf, flag: &str| {
        fs::read(path).with_context(|| format!("cannot read `{}`, which {flag} names", path.display()))
    };
    Ok((read(certificate, "--tls-cert")?, read(key, "--tls-key")?))
}

fn acceptor((certificate, key): &Texts) -> anyhow::Result<TlsAcceptor> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate)
        .collect::<Result<_, _>>()
        .context("the certificate is no PEM")?;
    if chain.is_empty() {
        bail!("the certificate's file has none: it begins with `-----BEGIN CERTIFICATE-----`");
    }
    let key = PrivateKeyDer::from_pem_slice(key).context("the key's file has none in PEM without a password")?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("certificate and key do not belong together")?;
    let mut config = config;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
