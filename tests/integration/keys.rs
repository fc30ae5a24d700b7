//! The server's door as strangers find it: keys, addresses, certificates, and callers who take their time.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName},
};

use crate::program::{Sandbox, free_address, get, wait_for};

#[test]
fn without_a_key_no_other_machine_is_listened_to_and_with_one_nobody_comes_in_without() {
    let sandbox = Sandbox::new();
    let port = free_address().split_once(':').unwrap().1.to_owned();
    let listen = format!("0.0.0.0:{port}");
    let refused = sandbox.fail(&["serve", "--source", "none", "--listen", &listen]);
    assert!(
        refused.contains("no API keys") && refused.contains("deloton key new --role admin"),
        "{refused}"
    );

    let made = sandbox.succeed(&["key", "new", "--role", "viewer", "--name", "wall"]);
    let key = made.lines().next().unwrap();
    let (server, _) = serve(&sandbox, &listen, &port);
    assert_eq!(get(&format!("127.0.0.1:{port}"), "/api/v1/cities").unwrap().0, 401);
    let asked = said(
        &port,
        &format!(
            "GET /api/v1/cities HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"
        ),
    );
    assert!(
        asked.starts_with("HTTP/1.1 200 OK") && asked.contains("ratelimit:"),
        "{asked}"
    );
    // Commands have a door of their own, which other machines do not reach.
    assert!(sandbox.succeed(&["key", "list"]).contains("wall"));
    assert_eq!(get(&format!("127.0.0.1:{port}"), "/internal/commands").unwrap().0, 401);
    let (id, _) = key.trim_start_matches("deloton_").split_once('_').unwrap();
    sandbox.succeed(&["key", "revoke", id]);
    let asked = said(
        &port,
        &format!(
            "GET /api/v1/cities HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"
        ),
    );
    assert!(asked.starts_with("HTTP/1.1 401"), "at once: {asked}");
    assert!(!server.log().contains(key), "no log has a key");
}

fn serve(sandbox: &Sandbox, listen: &str, port: &str) -> (crate::program::Running, String) {
    let running = sandbox.start(&["serve", "--source", "none", "--listen", listen]);
    let address = format!("127.0.0.1:{port}");
    wait_for(
        "healthy server",
        Duration::from_secs(30),
        || running.log(),
        || get(&address, "/healthz").filter(|(status, _)| *status == 200),
    );
    (running, address)
}

/// What a server says to `words`, until it hangs up.
fn said(port: &str, words: &str) -> String {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    stream.write_all(words.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn whoever_never_ends_their_headers_is_hung_up_on_and_holds_nobody_else_up() {
    let sandbox = Sandbox::new();
    let (_server, address) = sandbox.serve(&["--source", "none"]);
    let begun = Instant::now();
    let mut slow: Vec<_> = (0..50)
        .map(|_| {
            let mut stream = TcpStream::connect(&address).unwrap();
            stream
                .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
                .unwrap();
            stream
        })
        .collect();
    assert_eq!(get(&address, "/healthz").unwrap().0, 200);
    for stream in &mut slow {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut rest = Vec::new();
        assert!(
            stream.read_to_end(&mut rest).is_ok(),
            "it is still open after {:?}",
            begun.elapsed()
        );
    }
    let port = address.split_once(':').unwrap().1;
    let long = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n\r\n",
        "x".repeat(200_000)
    );
    assert!(said(port, &long).starts_with("HTTP/1.1 431"));
}

#[test]
fn tls_is_spoken_with_the_certificate_in_the_files_and_with_the_one_that_replaces_it() {
    let sandbox = Sandbox::new();
    let certificate = || {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        fs::write(sandbox.path("key.pem"), made.signing_key.serialize_pem()).unwrap();
        fs::write(sandbox.path("cert.pem"), made.cert.pem()).unwrap();
        made.cert.der().clone()
    };
    let first = certificate();
    let key = sandbox.path("key.pem").display().to_string();
    let cert = sandbox.path("cert.pem").display().to_string();
    let address = free_address();
    let tls = ["--tls-cert", &cert, "--tls-key", &key];
    let server = sandbox.start(&[&["serve", "--source", "none", "--listen", &address], &tls[..]].concat());
    let page = |trusted: &CertificateDer<'static>| {
        wait_for(
            "page by TLS",
            Duration::from_secs(30),
            || server.log(),
            || by_tls(&address, trusted, "/healthz").filter(|page| page.contains("200 OK")),
        )
    };
    page(&first);
    assert!(get(&address, "/healthz").is_none(), "nothing is said in the clear");
    assert!(sandbox.succeed(&["status"]).contains("rides"), "commands go on");
    let second = certificate();
    page(&second);
    assert!(by_tls(&address, &first, "/healthz").is_none());

    fs::write(sandbox.path("cert.pem"), "nonsense").unwrap();
    wait_for(
        "complaint",
        Duration::from_secs(30),
        || server.log(),
        || server.log().contains("cannot be used").then_some(()),
    );
    page(&second);
    let other = Sandbox::new();
    let refused = other.fail(&[&["serve", "--source", "none", "--listen", &free_address()], &tls[..]].concat());
    assert!(refused.contains("cert.pem"), "{refused}");
}

fn by_tls(address: &str, trusted: &CertificateDer<'static>, path: &str) -> Option<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address).ok()?);
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok();
    Some(answer)
}
