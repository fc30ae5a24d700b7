//! Publishing to an S3 server that runs in this process and speaks the protocol over TCP.

use std::{
    collections::BTreeMap,
    fs,
    future::Future,
    io::Read as _,
    net::TcpListener,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_sdk_s3::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region},
};
use deloton::{
    clock::Clock,
    domain::{
        artifact::{Artifact, media_type_of, sha256_hex},
        cancel::Cancel,
    },
    jobs,
    publish::{Item, NewEdition, PublishError, PublishStatus, Publisher, S3Publisher},
    store::Store,
};
use flate2::read::GzDecoder;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{
    S3, S3Request, S3Response, S3Result,
    access::{S3Access, S3AccessContext},
    auth::SimpleAuth,
    dto::{
        CopyObjectInput, CopyObjectOutput, DeleteObjectInput, DeleteObjectOutput, GetObjectInput, GetObjectOutput,
        HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListObjectsV2Input, ListObjectsV2Output,
        PutObjectInput, PutObjectOutput,
    },
    service::S3ServiceBuilder,
};

use crate::program::{DAYS, Sandbox, files_below};

/// What begins a file that gzip made.
const GZIP: [u8; 2] = [0x1f, 0x8b];

const LEASE: Duration = Duration::from_millis(400);

/// What the server was asked and what it is to refuse.
#[derive(Clone, Default)]
pub(crate) struct Watch {
    /// `PutObject index.html` and so on, reads left out.
    writes: Arc<Mutex<Vec<String>>>,
    /// Writes allowed before every further one is denied.
    pub(crate) allowed: Arc<Mutex<Option<usize>>>,
    /// How often each request is asked to slow down before it is served.
    pub(crate) throttled_tries: Arc<AtomicUsize>,
    /// How often each request was made.
    tried: Arc<Mutex<BTreeMap<String, usize>>>,
    /// Whether the server's clock is another.
    pub(crate) is_skewed: Arc<AtomicBool>,
    /// A publisher that puts a manifest of its own just before this path is written.
    intruder: Arc<Mutex<Option<(&'static str, Client)>>>,
}

impl S3Access for Watch {
    fn check<'s, 'c, 'x, 'f>(
        &'s self,
        context: &'c mut S3AccessContext<'x>,
    ) -> Pin<Box<dyn Future<Output = S3Result<()>> + Send + 'f>>
    where
        's: 'f,
        'c: 'f,
        'x: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            let request = format!("{} {:?}", context.s3_op().name(), context.s3_path());
            let tries = {
                let mut tried = self.tried.lock().unwrap();
                let tries = tried.entry(request).or_insert(0);
                *tries += 1;
                *tries
            };
            if tries <= self.throttled_tries.load(Ordering::SeqCst) {
                return Err(s3s::s3_error!(SlowDown));
            }
            if self.is_skewed.load(Ordering::SeqCst) {
                return Err(s3s::s3_error!(RequestTimeTooSkewed));
            }
            let operation = context.s3_op().name();
            if !matches!(operation, "PutObject" | "CopyObject" | "DeleteObject") {
                return Ok(());
            }
            let key = context.s3_path().as_object().map(|(_, key)| key).unwrap_or_default();
            if let Some(allowed) = self.allowed.lock().unwrap().as_mut() {
                if *allowed == 0 {
                    return Err(s3s::s3_error!(AccessDenied));
                }
                *allowed -= 1;
            }
            let intruder = self.intruder.lock().unwrap().take_if(|(path, _)| key.ends_with(*path));
            if let Some((_, client)) = intruder {
                put_manifest(&client, r#"{"files":{}}"#).await;
            }
            self.writes.lock().unwrap().push(format!("{operation} {key}"));
            Ok(())
        })
    }
}

/// The file system as S3 has it: what one request does, another sees whole or not at all.
struct OneAtATime {
    files: s3s_fs::FileSystem,
    turn: tokio::sync::Mutex<()>,
}

macro_rules! one_at_a_time {
    ($($operation:ident: $input:ident -> $output:ident),*) => {
        impl S3 for OneAtATime {$(
            fn $operation<'s, 'f>(
                &'s self,
                request: S3Request<$input>,
            ) -> Pin<Box<dyn Future<Output = S3Result<S3Response<$output>>> + Send + 'f>>
            where
                's: 'f,
                Self: 'f,
            {
                Box::pin(async move {
                    let _turn = self.turn.lock().await;
                    self.files.$operation(request).await
                })
            }
        )*}
    };
}

one_at_a_time! {
    copy_object: CopyObjectInput -> CopyObjectOutput,
    get_object: GetObjectInput -> GetObjectOutput,
    put_object: PutObjectInput -> PutObjectOutput,
    delete_object: DeleteObjectInput -> DeleteObjectOutput,
    head_object: HeadObjectInput -> HeadObjectOutput,
    head_bucket: HeadBucketInput -> HeadBucketOutput,
    list_objects_v2: ListObjectsV2Input -> ListObjectsV2Output
}

/// A bucket called `site` and who asks for what in it.
pub(crate) struct Server {
    pub(crate) root: tempfile::TempDir,
    pub(crate) url: String,
    pub(crate) watch: Watch,
}

impl Server {
    pub(crate) async fn start() -> Server {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("site")).unwrap();
        let watch = Watch::default();
        let files = s3s_fs::FileSystem::new(root.path()).unwrap();
        let mut builder = S3ServiceBuilder::new(OneAtATime {
            files,
            turn: tokio::sync::Mutex::default(),
        });
        builder.set_auth(SimpleAuth::from_single("key", "secret"));
        builder.set_access(watch.clone());
        let service = builder.build();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let builder = Builder::new(TokioExecutor::new());
                    drop(builder.serve_connection(TokioIo::new(socket), service).await);
                });
            }
        });
        Server { root, url, watch }
    }

    /// A publisher that renews its lock too seldom for any test to see it.
    fn publisher(&self) -> Publisher {
        publisher(&self.url, "site", "secret")
    }

    /// One that soon takes another's lock for a dead one's.
    fn impatient_publisher(&self) -> Publisher {
        Publisher::S3(s3_publisher(&self.url, "site", "secret").with_lease(LEASE))
    }

    fn manifest(&self) -> PathBuf {
        self.root.path().join("site/reports/_manifest.json")
    }

    /// The site without what the publisher writes down: path → content.
    fn site(&self) -> BTreeMap<String, String> {
        let mut site = files(&self.root.path().join("site/reports"));
        site.retain(|path, _| !path.starts_with('_'));
        site
    }

    fn writes(&self) -> Vec<String> {
        std::mem::take(&mut *self.watch.writes.lock().unwrap())
    }

    fn allow(&self, writes: Option<usize>) {
        *self.watch.allowed.lock().unwrap() = writes;
    }
}

fn client(url: &str, secret: &str) -> Client {
    client_of(url, "key", secret)
}

pub(crate) fn client_of(url: &str, key: &str, secret: &str) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-2"))
        .endpoint_url(url)
        .force_path_style(true)
        .credentials_provider(Credentials::new(key, secret, None, None, "test"));
    Client::from_conf(config.build())
}

async fn put_manifest(client: &Client, text: &str) {
    let put = client.put_object().bucket("site").key("reports/_manifest.json");
    put.body(text.as_bytes().to_vec().into()).send().await.unwrap();
}

fn s3_publisher(url: &str, bucket: &str, secret: &str) -> S3Publisher {
    S3Publisher::new(client(url, secret), bucket, "reports")
}

fn publisher(url: &str, bucket: &str, secret: &str) -> Publisher {
    Publisher::S3(s3_publisher(url, bucket, secret))
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    files_below(folder)
        .into_iter()
        .map(|(path, bytes)| (path, String::from_utf8(unzipped(bytes)).unwrap()))
        .collect()
}

/// What a reader gets who takes it compressed.
pub(crate) fn unzipped(bytes: Vec<u8>) -> Vec<u8> {
    if !bytes.starts_with(&GZIP) {
        return bytes;
    }
    let mut plain = Vec::new();
    GzDecoder::new(&bytes[..]).read_to_end(&mut plain).unwrap();
    plain
}

async fn put(publisher: &Publisher, items: &[Item]) -> Result<PublishStatus, PublishError> {
    publisher.publish(items, &now()).await
}

fn now() -> NewEdition<'static> {
    NewEdition::unchecked("2026-11-22T01:00:00Z".parse().unwrap())
}

/// A small site; `version` is in the day's page, its data and the index, not in the asset.
fn site(version: u32) -> Vec<Item> {
    let text = |path: &str, text: String| Artifact::text(path, media_type_of(path), text).into();
    vec![
        text("index.html", format!("index {version}")),
        text("2026-11-21/index.html", format!("page {version}")),
        text("feed.xml", format!("feed {version}")),
        text("2026-11-21/report.pdf", format!("pdf {version}")),
        text("2026-11-21/rides.csv", format!("csv {version}")),
        text("static/report-3f9a01bc.css", "css".to_owned()),
    ]
}

fn contents(items: &[Item]) -> BTreeMap<String, String> {
    let pair = |item: &Item| match item {
        Item::Rendered(artifact) => (
            artifact.path.clone(),
            String::from_utf8(artifact.bytes.clone()).unwrap(),
        ),
        Item::File { path, file } => (path.clone(), fs::read_to_string(file).unwrap()),
    };
    items.iter().map(pair).collect()
}

#[tokio::test]
async fn everything_arrives_leaves_first_and_the_index_last() {
    let server = Server::start().await;
    let status = put(&server.publisher(), &site(1)).await.unwrap();
    assert_eq!((status.written.len(), status.unchanged), (6, 0));
    assert_eq!(server.site(), contents(&site(1)));

    let writes = server.writes();
    let order: Vec<_> = writes
        .iter()
        .map(|write| write.strip_prefix("PutObject reports/").unwrap())
        .collect();
    assert_eq!(order.len(), 9, "{order:?}");
    assert_eq!((order[0], order[8]), ("_manifest.json", "_manifest.json"));
    assert_eq!(order[7], "_editions/1.json");
    assert_eq!(order[1], "static/report-3f9a01bc.css");
    assert!(order[2].ends_with("pdf") || order[3].ends_with("pdf"), "{order:?}");
    assert_eq!(order[4..7], ["2026-11-21/index.html", "feed.xml", "index.html"]);

    let head = |path: &'static str| {
        client(&server.url, "secret")
            .head_object()
            .bucket("site")
            .key(path)
            .send()
    };
    let page = head("reports/index.html").await.unwrap();
    assert_eq!(page.content_type(), Some("text/html; charset=utf-8"));
    assert_eq!(page.cache_control(), Some("public, max-age=60"));
    assert_eq!(page.content_encoding(), Some("gzip"));
    let pdf = head("reports/2026-11-21/report.pdf").await.unwrap();
    assert_eq!(pdf.content_encoding(), None, "it is compressed inside");
    let asset = head("reports/static/report-3f9a01bc.css").await.unwrap();
    assert_eq!(asset.content_type(), Some("text/css; charset=utf-8"));
    assert_eq!(asset.cache_control(), Some("public, max-age=31536000, immutable"));
}

#[tokio::test]
async fn what_did_not_change_is_not_written() {
    let server = Server::start().await;
    put(&server.publisher(), &site(1)).await.unwrap();
    let manifest = fs::read(server.manifest()).unwrap();
    server.writes();

    let status = put(&server.publisher(), &site(1)).await.unwrap();
    assert_eq!((status.written.len(), status.unchanged), (0, 6));
    assert_eq!(server.writes(), Vec::<String>::new());
    assert_eq!(fs::read(server.manifest()).unwrap(), manifest);

    let mut changed = site(1);
    changed[4] = Artifact::text("2026-11-21/rides.csv", "text/csv", "csv corrected").into();
    let plan = server.publisher().plan(&changed).await.unwrap();
    assert_eq!(plan.written, ["2026-11-21/rides.csv"]);
    assert_eq!(server.writes(), Vec::<String>::new(), "a dry run writes nothing");
    let status = put(&server.publisher(), &changed).await.unwrap();
    assert_eq!((status.written, status.edition), (plan.written, Some(2)));
    let old = sha256_hex([&b"csv 1"[..]]);
    let expected = [
        "PutObject reports/_manifest.json".to_owned(),
        format!("CopyObject reports/_objects/{old}"),
        "PutObject reports/2026-11-21/rides.csv".to_owned(),
        "PutObject reports/_editions/2.json".to_owned(),
        "PutObject reports/_manifest.json".to_owned(),
    ];
    assert_eq!(server.writes(), expected);
    assert_eq!(server.site(), contents(&changed));
}

#[tokio::test]
async fn wherever_a_publisher_dies_no_page_is_ahead_of_its_leaves_and_a_rerun_completes() {
    for allowed in 0..14 {
        let server = Server::start().await;
        put(&server.publisher(), &site(1)).await.unwrap();
        // From here on every write after the first few is refused, also the one that would let the lock go.
        server.allow(Some(allowed));
        let died = put(&server.publisher(), &site(2)).await;
        assert_eq!(
            died.is_err(),
            allowed < 13,
            "two manifests, five changed files, what they were, and a record are thirteen writes"
        );
        let found = server.site();
        let is_new = |path: &str| found[path].ends_with('2');
        assert!(
            !is_new("2026-11-21/index.html") || (is_new("2026-11-21/report.pdf") && is_new("2026-11-21/rides.csv"))
        );
        assert!(!is_new("feed.xml") || is_new("2026-11-21/index.html"));
        assert!(!is_new("index.html") || is_new("feed.xml"));

        // Whatever comes next, also the old content again, ends up complete.
        server.allow(None);
        let next = site(if allowed % 2 == 0 { 2 } else { 1 });
        let successor = server.impatient_publisher();
        put(&successor, &next).await.unwrap();
        assert_eq!(server.site(), contents(&next), "after {allowed} writes");
        assert!(put(&successor, &next).await.unwrap().written.is_empty());
        assert!(!fs::read_to_string(server.manifest()).unwrap().contains("lock"));
    }
}

#[tokio::test]
async fn a_manifest_that_changed_meanwhile_stops_the_publisher() {
    let server = Server::start().await;
    put(&server.publisher(), &site(1)).await.unwrap();
    *server.watch.intruder.lock().unwrap() = Some(("feed.xml", client(&server.url, "secret")));
    let error = put(&server.publisher(), &site(2)).await.unwrap_err();
    assert!(matches!(error, PublishError::Busy { .. }), "{error}");
    assert_eq!(
        fs::read_to_string(server.manifest()).unwrap(),
        r#"{"files":{}}"#,
        "the other's manifest stands"
    );
}

#[tokio::test]
async fn two_publishers_at_once_leave_one_whole_site() {
    let server = Server::start().await;
    let (one, two) = (server.impatient_publisher(), server.impatient_publisher());
    let (site_one, site_two) = (site(1), site(2));
    let (first, second) = tokio::join!(put(&one, &site_one), put(&two, &site_two));
    for result in [&first, &second] {
        assert!(matches!(result, Ok(_) | Err(PublishError::Busy { .. })), "{result:?}");
    }
    assert!(first.is_ok() || second.is_ok());
    let found = server.site();
    assert!(
        found == contents(&site_one) || found == contents(&site_two),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_living_publisher_is_left_alone_and_a_dead_ones_lock_is_taken() {
    let server = Server::start().await;
    let lock = |beat: u32| {
        format!(
            r#"{{"files":{{}},"lock":{{"holder":"{}","beat":{beat}}}}}"#,
            uuid::Uuid::nil()
        )
    };
    let other = client(&server.url, "secret");
    put_manifest(&other, &lock(1)).await;
    let heart = async {
        tokio::time::sleep(LEASE / 2).await;
        put_manifest(&other, &lock(2)).await;
    };
    let publisher = server.impatient_publisher();
    let site = site(1);
    let (result, ()) = tokio::join!(put(&publisher, &site), heart);
    let error = result.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("another publisher is at work on `s3://site/reports`"),
        "{error}"
    );
    assert!(server.site().is_empty());

    put(&publisher, &site).await.unwrap();
    assert_eq!(server.site(), contents(&site));
}

#[tokio::test]
async fn what_is_gone_is_deleted_what_is_foreign_stays_and_an_edition_can_be_put_back() {
    let server = Server::start().await;
    let publisher = server.publisher();
    put(&publisher, &site(1)).await.unwrap();
    let foreign = server.root.path().join("site/reports/foreign.txt");
    fs::write(&foreign, "not ours").unwrap();

    let status = put(&publisher, &site(2)[..3]).await.unwrap();
    assert_eq!(status.deleted, ["2026-11-21/report.pdf", "2026-11-21/rides.csv"]);
    let found = server.site();
    // The style sheet stays for pages that browsers have kept.
    assert_eq!((found.len(), found["index.html"].as_str()), (5, "index 2"));

    let status = publisher.roll_back(1, now().at).await.unwrap();
    assert_eq!(status.edition, Some(3));
    let mut expected = contents(&site(1));
    expected.insert("foreign.txt".to_owned(), "not ours".to_owned());
    assert_eq!(server.site(), expected);
    let head = client(&server.url, "secret")
        .head_object()
        .bucket("site")
        .key("reports/index.html");
    assert_eq!(
        head.send().await.unwrap().content_type(),
        Some("text/html; charset=utf-8")
    );
    let listed = publisher.editions().await.unwrap().newest_first;
    assert_eq!((listed.len(), listed[0].same_as), (3, Some(1)));
    assert_eq!((listed[1].written(), listed[1].deleted()), (3, 2));

    // Somebody replaced what was kept: nothing is changed by half.
    let kept = format!("reports/_objects/{}", sha256_hex([&b"page 2"[..]]));
    let tampered = client(&server.url, "secret").put_object().bucket("site").key(kept);
    tampered.body(b"forged".to_vec().into()).send().await.unwrap();
    let error = publisher.roll_back(2, now().at).await.unwrap_err();
    assert!(matches!(error, PublishError::NotKept { edition: 2, .. }), "{error}");
    assert_eq!(server.site(), expected);
}

#[tokio::test]
async fn what_is_wrong_is_said_in_words() {
    let server = Server::start().await;
    let missing = put(&publisher(&server.url, "no-such-bucket", "secret"), &site(1))
        .await
        .unwrap_err();
    assert!(matches!(missing, PublishError::MissingBucket { .. }), "{missing:?}");
    assert!(
        missing
            .to_string()
            .contains("bucket of `s3://no-such-bucket/reports` does not exist"),
        "{missing}"
    );

    let denied = put(&publisher(&server.url, "site", "wrong"), &site(1))
        .await
        .unwrap_err();
    assert!(matches!(denied, PublishError::Denied { .. }), "{denied:?}");
    assert!(denied.to_string().contains("s3:PutObject"), "{denied}");

    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let down = put(&publisher(&format!("http://{free}"), "site", "secret"), &site(1))
        .await
        .unwrap_err();
    assert!(matches!(down, PublishError::Unreachable { .. }), "{down:?}");
    assert!(
        down.to_string()
            .contains("could not be reached while reading `_manifest.json`"),
        "{down}"
    );
    assert!(server.site().is_empty());

    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(&server.url)
        .build();
    let nowhere = Publisher::S3(S3Publisher::new(Client::from_conf(config), "site", ""));
    let nowhere = put(&nowhere, &site(1)).await.unwrap_err();
    assert!(
        nowhere.to_string().contains("no AWS region is set for `s3://site`"),
        "{nowhere:?}"
    );
}

#[test]
fn the_job_publishes_and_records_it() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::Fixed("2026-11-22T01:00:00Z".parse().unwrap());
    let store = Store::open(folder.path(), clock).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let publisher = Publisher::directory(folder.path().join("site"));
    let publish = || {
        let (items, cancel) = (site(1), Cancel::default());
        jobs::publish::publish(&store, &publisher, &items, &now(), None, runtime.handle(), &cancel).unwrap()
    };
    assert_eq!(publish().counts["files_written"], 6);
    assert_eq!(publish().counts["files_unchanged"], 6);
    let mut published = files(&folder.path().join("site"));
    published.retain(|path, _| !path.starts_with('_'));
    assert_eq!(published, contents(&site(1)));
    let rows: i64 = store
        .connection()
        .unwrap()
        .query_row(
            "select count(*) from ops.publication where published_at = '2026-11-22 01:00:00+00'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(rows, 2);
}

#[test]
fn a_dry_run_says_what_would_be_run_and_written_and_does_none_of_it() {
    let sandbox = Sandbox::with_sample();
    let dry = |job: &str| sandbox.succeed(&["run", job, "--day", DAYS[0], "--dry-run"]);
    let said = dry("publish");
    let jobs: Vec<_> = said.lines().filter(|line| line.ends_with("would run")).collect();
    assert!(jobs[0].starts_with("compact "), "{said}");
    assert!(jobs[jobs.len() - 1].starts_with("publish "), "{said}");
    assert!(!sandbox.path("data/site").exists() && !sandbox.path("data/reports").exists());
    assert!(sandbox.rows("select * from ops.job_run").is_empty());

    sandbox.succeed(&["run", "report", "--day", DAYS[0]]);
    let said = dry("publish");
    assert_eq!(said.matches("would run").count(), 1, "{said}");
    assert!(
        said.contains(&format!("would write daily/{}/index.html\n", DAYS[0])),
        "{said}"
    );
    assert!(said.ends_with("files to write, 0 unchanged\n"), "{said}");
    sandbox.succeed(&["run", "publish", "--day", DAYS[0]]);
    let said = dry("publish");
    assert!(
        said.contains("0 files to write, ") && !said.contains("would write"),
        "{said}"
    );
}
