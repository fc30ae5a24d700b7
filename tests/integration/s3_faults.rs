//! What S3 does on a bad day, to the real binary: it asks to slow down, the line breaks, the clock is wrong. The site is
//! whole or as it was, and never half of either.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};

use crate::{
    program::{DAYS, Said, Sandbox, files_below},
    publish::Server,
};

/// A sandbox with rendered days, and the bucket that they go to.
struct World {
    runtime: Runtime,
    server: Server,
    sandbox: Sandbox,
}

impl World {
    fn new() -> World {
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(Server::start());
        let sandbox = Sandbox::with_sample();
        for day in DAYS {
            sandbox.succeed(&["run", "report", "--day", day]);
        }
        World {
            runtime,
            server,
            sandbox,
        }
    }

    /// Publishes to the bucket at `url`.
    fn publish(&self, url: &str, day: &str) -> Said {
        let publish = ["run", "publish", "--day", day, "--site", "s3://site/reports"];
        self.sandbox.run_with_buckets(url, &publish)
    }

    /// What the site has to be: what is published into a folder.
    fn expected(&self) -> BTreeMap<String, Vec<u8>> {
        self.sandbox
            .succeed(&["run", "publish", "--day", DAYS[1], "--site", "elsewhere"]);
        pages(files_below(&self.sandbox.path("elsewhere")))
    }
}

fn pages(files: Vec<(String, Vec<u8>)>) -> BTreeMap<String, Vec<u8>> {
    files.into_iter().filter(|(path, _)| !path.starts_with('_')).collect()
}

/// The site in the bucket, with what is compressed there read.
fn in_bucket(server: &Server) -> BTreeMap<String, Vec<u8>> {
    let files = files_below(&server.root.path().join("site/reports")).into_iter();
    pages(
        files
            .map(|(path, bytes)| (path, crate::publish::unzipped(bytes)))
            .collect(),
    )
}

/// A line to the server that breaks: each of the next `breaks` connections after some kilobytes of what the client sends.
async fn line_to(server: &Server, breaks: Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let to = server.url.strip_prefix("http://").unwrap().to_owned();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let take_one = |left: usize| left.checked_sub(1);
            let is_broken = breaks
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take_one)
                .is_ok();
            tokio::spawn(carry(client, to.clone(), is_broken.then_some(3_000)));
        }
    });
    url
}

/// Carries bytes both ways; with a limit, until so many of the client's.
async fn carry(mut client: TcpStream, to: String, limit: Option<usize>) {
    let mut server = TcpStream::connect(to).await.unwrap();
    let Some(mut left) = limit else {
        drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
        return;
    };
    let (mut up, mut down) = (vec![0; 1024], vec![0; 1024]);
    while left > 0 {
        tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(read) if read > 0 => {
                    let some = read.min(left);
                    left -= some;
                    if server.write_all(&up[..some]).await.is_err() { return }
                }
                _ => return,
            },
            read = server.read(&mut down) => match read {
                Ok(read) if read > 0 => if client.write_all(&down[..read]).await.is_err() { return },
                _ => return,
            },
        }
    }
}

#[test]
fn a_bucket_that_asks_to_slow_down_gets_the_whole_site_a_little_later() {
    let world = World::new();
    world.server.watch.throttled_tries.store(2, Ordering::SeqCst);
    let said = world.publish(&world.server.url, DAYS[1]);
    assert!(said.status.success(), "{said:?}");
    assert!(in_bucket(&world.server) == world.expected());
}

#[test]
fn a_bucket_that_never_stops_asking_to_slow_down_is_said_to_do_so() {
    let world = World::new();
    world.server.watch.throttled_tries.store(usize::MAX, Ordering::SeqCst);
    let said = world.publish(&world.server.url, DAYS[1]);
    assert!(
        said.err
            .contains("`s3://site/reports` asked to slow down while reading `_manifest.json`, also after waiting"),
        "{said:?}"
    );
    assert!(in_bucket(&world.server).is_empty());
}

#[test]
fn a_line_that_breaks_within_requests_is_opened_again() {
    let world = World::new();
    let breaks = Arc::new(AtomicUsize::new(8));
    let url = world.runtime.block_on(line_to(&world.server, breaks.clone()));
    let said = world.publish(&url, DAYS[1]);
    assert!(said.status.success(), "{said:?}");
    assert_eq!(breaks.load(Ordering::SeqCst), 0, "it broke");
    assert!(in_bucket(&world.server) == world.expected());
}

#[test]
fn a_line_that_stays_broken_is_reported_and_the_next_run_completes_the_site() {
    let world = World::new();
    let first = world.publish(&world.server.url, DAYS[0]);
    assert!(first.status.success(), "{first:?}");
    // Every page is another one now.
    for day in DAYS {
        let page = world.sandbox.path(&format!("data/reports/{day}/index.html"));
        let text = std::fs::read_to_string(&page).unwrap();
        std::fs::write(&page, text.replace("</main>", "<p>Restated</p></main>")).unwrap();
    }
    let index = in_bucket(&world.server)["index.html"].clone();
    let breaks = Arc::new(AtomicUsize::new(usize::MAX));
    let url = world.runtime.block_on(line_to(&world.server, breaks));
    let said = world.publish(&url, DAYS[1]);
    assert!(
        said.err
            .contains("`s3://site/reports` could not be reached while writing")
            && said.err.contains("check the network"),
        "{said:?}"
    );
    assert!(in_bucket(&world.server)["index.html"] == index, "the index comes last");

    let said = world.publish(&world.server.url, DAYS[1]);
    assert!(said.status.success(), "{said:?}");
    assert!(in_bucket(&world.server) == world.expected());
}

#[test]
fn a_clock_that_is_wrong_is_named() {
    let world = World::new();
    world.server.watch.is_skewed.store(true, Ordering::SeqCst);
    let said = world.publish(&world.server.url, DAYS[1]);
    assert!(
        said.err.contains("refused the time of this machine's clock") && said.err.contains("set the clock"),
        "{said:?}"
    );
}
