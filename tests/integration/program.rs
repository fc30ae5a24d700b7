//! The program as its users run it: the real binary, in a folder of its own, by a clock that stands still.

use std::{
    ffi::OsStr,
    fs,
    io::{self, ErrorKind, Read as _, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use deloton::{clock::Clock, store::Store};
use sha2::{Digest as _, Sha256};

/// What time it is, two days after the sample's first: its second day ended eight hours ago.
pub(crate) const NOW: &str = "2026-05-07T08:00:00Z";

/// The business days of the sample.
pub(crate) const DAYS: [&str; 2] = ["2026-05-05", "2026-05-06"];

/// The sample that the repository carries.
pub(crate) fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample/rides.jsonl.gz")
}

/// A recorded file's path, where this checkout has such files beside it. Where not, that is said.
pub(crate) fn recorded(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    if !path.exists() {
        skipped(&format!("`{name}` is not beside this checkout, in ../shared/data"));
        return None;
    }
    Some(path)
}

/// Says why a test does nothing, past what catches the output of tests that do not fail.
pub(crate) fn skipped(why: &str) {
    let test = thread::current().name().unwrap_or_default().to_owned();
    let line = format!("{test} is skipped: {why}\n");
    io::stderr().write_all(line.as_bytes()).unwrap();
}

/// The sample, unzipped.
pub(crate) fn sample_lines() -> Vec<String> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(fs::File::open(sample()).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    text.lines().map(str::to_owned).collect()
}

/// A working directory with a data folder in it, gone when dropped.
pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
    now: Option<&'static str>,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Said {
            status: output.status,
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Sandbox {
            folder: tempfile::tempdir().unwrap(),
            now: Some(NOW),
        }
    }

    /// One where time goes by.
    pub(crate) fn in_real_time() -> Self {
        Sandbox {
            now: None,
            ..Sandbox::new()
        }
    }

    /// The same at another time.
    pub(crate) fn at(self, now: &'static str) -> Self {
        Sandbox { now: Some(now), ..self }
    }

    /// One that has taken in the sample.
    pub(crate) fn with_sample() -> Self {
        let sandbox = Sandbox::new();
        sandbox.succeed(&["consume", "--from-file", &sample().to_string_lossy()]);
        sandbox
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Writes a file into the working directory and answers its path.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }

    /// The command, with nothing from around it: no settings of the person who runs the tests.
    pub(crate) fn command(&self, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deloton"));
        #[expect(
            clippy::disallowed_methods,
            reason = "the tests take settings away, whatever they are"
        )]
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("DELOTON_") || name.starts_with("AWS_")) {
            command.env_remove(name);
        }
        command
            .current_dir(self.folder.path())
            .args(arguments)
            .stdin(Stdio::null());
        if let Some(now) = self.now {
            command.env("DELOTON_NOW", now);
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output().unwrap().into()
    }

    /// Runs what may write to the buckets of the service at `url`.
    pub(crate) fn run_with_buckets(&self, url: &str, arguments: &[&str]) -> Said {
        let mut command = self.command(arguments);
        command
            .env("DELOTON_AWS_ENDPOINT_URL", url)
            .env("AWS_ACCESS_KEY_ID", "key")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command.output().unwrap().into()
    }

    /// Runs what has to go well and answers what it wrote.
    #[track_caller]
    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert!(said.status.success(), "{arguments:?}: {said:?}");
        said.out
    }

    /// Runs what has to fail, and answers its message. It is one message, and not a program's complaint about itself.
    #[track_caller]
    pub(crate) fn fail(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert!(!said.status.success(), "{arguments:?}: {said:?}");
        assert!(said.status.code().is_some(), "it died: {said:?}");
        assert!(!said.err.contains("panicked"), "{}", said.err);
        let messages = said.err.lines().filter(|line| {
            let line = line.trim_start();
            line.starts_with("deloton: ") || line.starts_with("error: ")
        });
        assert_eq!(messages.count(), 1, "{arguments:?}: {}", said.err);
        said.err
    }

    /// Starts it and lets it run.
    pub(crate) fn start(&self, arguments: &[impl AsRef<OsStr>]) -> Running {
        self.start_command(self.command(arguments))
    }

    /// Starts one of [`command`](Self::command) and lets it run.
    pub(crate) fn start_command(&self, mut command: Command) -> Running {
        let log = self.path(&format!("log-{}", tempfile_name()));
        let file = fs::File::create(&log).unwrap();
        let child = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        Running { child, log }
    }

    /// Starts a server and waits until it answers; its address.
    pub(crate) fn serve(&self, more: &[&str]) -> (Running, String) {
        let address = free_address();
        let running = self.start(&[&["serve", "--listen", &address], more].concat());
        wait_for(
            "healthy server",
            Duration::from_secs(30),
            || running.log(),
            || get(&address, "/healthz").filter(|(status, _)| *status == 200),
        );
        (running, address)
    }

    /// The store, while no process has it open.
    pub(crate) fn store(&self) -> Store {
        Store::open(&self.data(), Clock::Fixed(NOW.parse().unwrap())).unwrap()
    }

    /// Rows as text, while no process has the store open.
    pub(crate) fn rows(&self, sql: &str) -> Vec<String> {
        rows(&self.store(), sql)
    }

    /// The content's hash of every file below a folder of the data folder, by path.
    pub(crate) fn hashes(&self, folder: &str) -> Vec<(String, String)> {
        files_below(&self.data().join(folder))
            .into_iter()
            .map(|(name, bytes)| {
                let hash = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
                (name, hash)
            })
            .collect()
    }
}

fn tempfile_name() -> String {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string()
}

pub(crate) fn rows(store: &Store, sql: &str) -> Vec<String> {
    let connection = store.connection().unwrap();
    let mut statement = connection
        .prepare(&format!("select cast(row_to_json(t) as varchar) from ({sql}) t"))
        .unwrap();
    statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

/// Every file below a folder with its bytes, in the order of their paths; none where there is no folder.
pub(crate) fn files_below(folder: &Path) -> Vec<(String, Vec<u8>)> {
    fn collect(root: &Path, folder: &Path, into: &mut Vec<(String, Vec<u8>)>) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(root, &path, into);
            } else {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                match fs::read(&path) {
                    // What a server writes aside has its own name a moment later.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    bytes => into.push((name, bytes.unwrap())),
                }
            }
        }
    }
    let mut files = Vec::new();
    collect(folder, folder, &mut files);
    files.sort();
    files
}

/// A process of the program; killed when dropped.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// What it has written so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// `kill -9`. Answers whether it was still at work.
    pub(crate) fn kill(&mut self) -> bool {
        let was_at_work = !self.is_over();
        self.child.kill().ok();
        self.child.wait().unwrap();
        was_at_work
    }

    /// Sends a signal: `INT`, `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Waits for the end.
    #[track_caller]
    pub(crate) fn wait(&mut self, patience: Duration) -> ExitStatus {
        let Running { child, log } = self;
        wait_for(
            "end of the program",
            patience,
            || fs::read_to_string(&*log).unwrap_or_default(),
            || child.try_wait().unwrap(),
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Tries until there is an answer.
#[track_caller]
pub(crate) fn wait_for<T>(
    what: &str,
    patience: Duration,
    log: impl Fn() -> String,
    mut attempt: impl FnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = attempt() {
            return answer;
        }
        assert!(Instant::now() < deadline, "no {what} within {patience:?}:\n{}", log());
        thread::sleep(Duration::from_millis(20));
    }
}

/// An address of loopback where nobody listens.
pub(crate) fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string()
}

/// Numbers that look random and are the same for the same seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// What a path answers: status and text; none while nobody does.
pub(crate) fn get(address: &str, path: &str) -> Option<(u16, String)> {
    ask(address, "GET", path)
}

/// What a request without a body is answered.
pub(crate) fn ask(address: &str, method: &str, path: &str) -> Option<(u16, String)> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(20)))
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into();
    let asked = ureq::http::Request::builder()
        .method(method)
        .uri(format!("http://{address}{path}"))
        .body(())
        .unwrap();
    let mut answer = agent.run(asked).ok()?;
    let text = answer.body_mut().read_to_string().ok()?;
    Some((answer.status().as_u16(), text))
}
