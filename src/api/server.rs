//! Takes connections and hands on their requests. However slow or many those are who call, what they can hold is bounded.

use std::{convert::Infallible, future::Future, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
};
use poem::{
    Addr, Endpoint, Response,
    http::uri::Scheme,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::Semaphore,
    time::timeout,
};

use super::tls::Tls;

/// Connections at once; whoever comes then waits for one to end.
const CONNECTIONS: usize = 2_048;
/// A TLS handshake takes no longer, nor do a request's headers, nor the wait for the next request of a connection.
const HEADERS_WITHIN: Duration = Duration::from_secs(15);
/// What is kept of a request's headers, and of a body until it is read: bytes.
const BUFFER_BYTES: usize = 64 * 1024;
const HEADER_BYTES: u32 = 16 * 1024;
/// Requests at once of one HTTP/2 connection.
const STREAMS: u32 = 32;
/// How long connections may go on when the server ends.
const GRACE: Duration = Duration::from_millis(500);

/// Serves `endpoint` on `listener` until `stop`.
pub async fn serve(
    listener: TcpListener,
    endpoint: impl Endpoint<Output = Response> + 'static,
    tls: Option<Arc<Tls>>,
    stop: impl Future<Output = ()>,
) {
    let endpoint = Arc::new(endpoint);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let open = GracefulShutdown::new();
    let following = tls.clone().map(|tls| tokio::spawn(async move { tls.follow().await }));
    tokio::pin!(stop);
    loop {
        let place = tokio::select! {
            () = &mut stop => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let (stream, remote) = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                // Too many open files, say: that passes, and asking at once again would not help.
                Err(error) => {
                    tracing::warn!(%error, "cannot take a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        // Answers are written whole; waiting for more of them would only delay them.
        stream.set_nodelay(true).ok();
        let Ok(local) = stream.local_addr() else { continue };
        let ends = (LocalAddr(Addr::from(local)), RemoteAddr(Addr::from(remote)));
        let (endpoint, watcher, tls) = (Arc::clone(&endpoint), open.watcher(), tls.clone());
        tokio::spawn(async move {
            let _place = place;
            match tls {
                None => connection(stream, ends, Scheme::HTTP, endpoint, watcher).await,
                Some(tls) => {
                    if let Ok(Ok(stream)) = timeout(HEADERS_WITHIN, tls.acceptor().accept(stream)).await {
                        connection(stream, ends, Scheme::HTTPS, endpoint, watcher).await;
                    }
                }
            }
        });
    }
    drop(listener);
    timeout(GRACE, open.shutdown()).await.ok();
    if let Some(following) = following {
        following.abort();
    }
}

async fn connection<E: Endpoint<Output = Response> + 'static>(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    (local, remote): (LocalAddr, RemoteAddr),
    scheme: Scheme,
    endpoint: Arc<E>,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let endpoint = Arc::clone(&endpoint);
        let request = poem::Request::from((request, local.clone(), remote.clone(), scheme.clone()));
        async move { Ok::<hyper::Response<_>, Infallible>(endpoint.get_response(request).await.into()) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(BUFFER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEADERS_WITHIN)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADER_BYTES);
    let serving = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    // Those who went away, or never said a whole request, are nobody's trouble.
    if let Err(error) = watcher.watch(serving).await {
        tracing::debug!(%error, "a connection ended early");
    }
}
