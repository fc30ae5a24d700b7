//! Takes connections and hands on their requests. However slow or many those are who call, what they can hold is bounded.

use std::{
    collections::HashMap,
    convert::Infallible,
    future::Future,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

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
/// Of those, from one address of another machine: enough for an office behind one, too few to keep others out.
const CONNECTIONS_OF_ADDRESS: usize = 640;
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
    let visitors = Visitors::default();
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
        // Who has as many as may is hung up on.
        let Some(visit) = visitors.enter(remote.ip().to_canonical()) else {
            continue;
        };
        // Answers are written whole; waiting for more of them would only delay them.
        stream.set_nodelay(true).ok();
        let Ok(local) = stream.local_addr() else { continue };
        let ends = (LocalAddr(Addr::from(local)), RemoteAddr(Addr::from(remote)));
        let (endpoint, watcher, tls) = (Arc::clone(&endpoint), open.watcher(), tls.clone());
        tokio::spawn(async move {
            let _held = (place, visit);
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

/// The connections of each address.
#[derive(Clone, Default)]
struct Visitors(Arc<Mutex<HashMap<IpAddr, usize>>>);

impl Visitors {
    /// Counts a connection until the answer is dropped; none where there are too many from there. Loopback has no such
    /// limit: a proxy's connections are everybody's.
    fn enter(&self, address: IpAddr) -> Option<Visit> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= CONNECTIONS_OF_ADDRESS && !address.is_loopback() {
            return None;
        }
        *count += 1;
        Some(Visit {
            visitors: self.clone(),
            address,
        })
    }
}

/// A connection that is counted.
struct Visit {
    visitors: Visitors,
    address: IpAddr,
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut counts = self.visitors.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_holds_some_connections_and_gets_new_ones_for_those_it_gives_up() {
        let visitors = Visitors::default();
        let (greedy, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let mut held: Vec<_> = (0..CONNECTIONS_OF_ADDRESS)
            .map(|_| visitors.enter(greedy).unwrap())
            .collect();
        assert!(visitors.enter(greedy).is_none() && visitors.enter(other).is_some());
        held.pop();
        assert!(visitors.enter(greedy).is_some());
        held.clear();
        assert!(
            visitors.0.lock().unwrap().is_empty(),
            "nobody is remembered who is not there"
        );
        let proxied: Vec<_> = (0..CONNECTIONS)
            .filter_map(|_| visitors.enter(IpAddr::from([127, 0, 0, 1])))
            .collect();
        assert_eq!(proxied.len(), CONNECTIONS);
    }
}
