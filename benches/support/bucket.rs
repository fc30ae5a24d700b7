//! A bucket in this process, at the end of a long line.

use std::time::Duration;

use aws_sdk_s3::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::Instant,
};

/// The bucket's name.
pub(crate) const BUCKET: &str = "site";

/// A bucket whose answers come `latency` after they left; goes with its runtime.
pub(crate) struct Bucket {
    _root: tempfile::TempDir,
    url: String,
}

impl Bucket {
    pub(crate) async fn start(latency: Duration) -> Bucket {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(BUCKET)).unwrap();
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single("key", "secret"));
        let service = builder.build();
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server_address = server.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((socket, _)) = server.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let builder = Builder::new(TokioExecutor::new());
                    drop(builder.serve_connection(TokioIo::new(socket), service).await);
                });
            }
        });
        let line = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", line.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((client, _)) = line.accept().await {
                let server = TcpStream::connect(server_address).await.unwrap();
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(carry(from_client, to_server, Duration::ZERO));
                tokio::spawn(carry(from_server, to_client, latency));
            }
        });
        Bucket { _root: root, url }
    }

    pub(crate) fn client(&self) -> Client {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-2"))
            .endpoint_url(&self.url)
            .force_path_style(true)
            .credentials_provider(Credentials::new("key", "secret", None, None, "bench"));
        Client::from_conf(config.build())
    }
}

/// Carries what `from` has to `to`, each piece `latency` after it came: what comes meanwhile is under way as well.
async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin + Send + 'static, latency: Duration) {
    let (send, mut arriving) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    tokio::spawn(async move {
        while let Some((at, bytes)) = arriving.recv().await {
            tokio::time::sleep_until(at).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        drop(to.shutdown().await);
    });
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if send.send((Instant::now() + latency, buffer[..read].to_vec())).is_err() {
            return;
        }
    }
}
