//! A running `hyperd`.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use postgres::{Client, Config, NoTls, SimpleQueryMessage};
use tempfile::TempDir;

use super::{HyperError, Hyperd, NotStarted, message};

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// In the name of its socket, where clients of Postgres look for it.
const PORT: u16 = 7483;
const USER: &str = "tableau_internal_user";

/// A `hyperd` that nobody else can speak to, and a connection to it. It ends with this value; when the process is killed,
/// hyperd sees the end of the line that it called back on and ends by itself.
pub struct Server {
    client: Client,
    /// Ends when this is dropped, after the connection.
    _process: Process,
}

impl Hyperd {
    /// Starts it.
    ///
    /// # Errors
    /// It cannot be run, does not call back within a minute, or refuses the connection.
    pub fn start(&self) -> Result<Server, NotStarted> {
        let failed = |said: String| NotStarted {
            program: self.program.clone(),
            said,
        };
        let process = Process::start(&self.program).map_err(failed)?;
        let client = Config::new()
            .user(USER)
            .host_path(process.folder.path())
            .port(PORT)
            .connect(NoTls)
            .map_err(|error| failed(format!("it refused the connection ({})", message(&error))))?;
        Ok(Server {
            client,
            _process: process,
        })
    }
}

impl Server {
    /// Whether it speaks to nobody any more: it has died, and nothing can be written by it.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.client.is_closed()
    }

    /// Runs a statement. `doing` says what it does, for the error.
    pub(super) fn run(&mut self, doing: &str, statement: &str) -> Result<(), HyperError> {
        self.client
            .batch_execute(statement)
            .map_err(|source| HyperError::Refused {
                doing: doing.to_owned(),
                source,
            })
    }

    /// The rows that a query gives, as text.
    pub(super) fn rows(&mut self, doing: &str, query: &str) -> Result<Vec<Vec<Option<String>>>, HyperError> {
        let messages = self.client.simple_query(query).map_err(|source| HyperError::Refused {
            doing: doing.to_owned(),
            source,
        })?;
        Ok(messages
            .iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => {
                    Some((0..row.len()).map(|index| row.get(index).map(str::to_owned)).collect())
                }
                _ => None,
            })
            .collect())
    }
}

/// The process, the folder of its sockets, and the line on which it called back.
struct Process {
    child: Child,
    callback: UnixStream,
    folder: TempDir,
}

impl Process {
    fn start(program: &Path) -> Result<Process, String> {
        let folder = tempfile::Builder::new()
            .prefix("hyperd")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir()
            .map_err(|error| format!("no folder for its socket: {error}"))?;
        let at = folder.path().display();
        let socket = |name: &str| format!("tab.domain://{at}/domain/{name}");
        let log_path = folder.path().join("output");
        let prepare = || -> std::io::Result<(UnixListener, File)> {
            let listener = UnixListener::bind(folder.path().join("callback"))?;
            listener.set_nonblocking(true)?;
            Ok((listener, File::create(&log_path)?))
        };
        let (listener, log) = prepare().map_err(|error| format!("no socket in `{at}`: {error}"))?;
        let other = log.try_clone().map_err(|error| error.to_string())?;
        // It runs in that folder.
        let program = std::path::absolute(program).map_err(|error| error.to_string())?;
        let mut child = Command::new(program)
            .arg("run")
            .arg(format!("--listen-connection={}", socket(&format!(".s.PGSQL.{PORT}"))))
            .arg(format!("--callback-connection={}", socket("callback")))
            .arg(format!("--init-user={USER}"))
            // Only we can reach the folder of its socket.
            .args(["--no-password", "--skip-license", "--log-config="])
            .current_dir(folder.path())
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(other)
            .spawn()
            .map_err(|error| format!("the system does not run it ({error})"))?;
        let output = || {
            let mut said = String::new();
            // What it said is for the error only: without it, the error says less.
            File::open(&log_path)
                .and_then(|mut file| file.read_to_string(&mut said))
                .map_or_else(|error| error.to_string(), |_| said.trim().to_owned())
        };
        match called_back(&listener, &mut child) {
            Ok(callback) => Ok(Process {
                child,
                callback,
                folder,
            }),
            Err(said) => {
                end(&mut child, Duration::ZERO);
                Err(match &*output() {
                    "" => format!("{said} and printed nothing"),
                    printed => format!("{said} and printed “{printed}”"),
                })
            }
        }
    }
}

/// Waits until hyperd calls: then it is ready.
fn called_back(listener: &UnixListener, child: &mut Child) -> Result<UnixStream, String> {
    let started = Instant::now();
    loop {
        match listener.accept() {
            Ok((stream, _)) => return Ok(stream),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.to_string()),
        }
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("it ended ({status})"));
        }
        if started.elapsed() > START_LIMIT {
            return Err(format!("it was not ready within {} s", START_LIMIT.as_secs()));
        }
        sleep(LOOK_AGAIN);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error says that the line is gone already.
        drop(self.callback.shutdown(std::net::Shutdown::Both));
        end(&mut self.child, STOP_LIMIT);
    }
}

/// Waits for the end of the process as long as `patience`, then kills it.
fn end(child: &mut Child, patience: Duration) {
    let asked = Instant::now();
    while let Ok(None) = child.try_wait() {
        if asked.elapsed() >= patience {
            // It has ended by itself where this fails.
            drop(child.kill());
            drop(child.wait());
            return;
        }
        sleep(LOOK_AGAIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::hyper::tests::hyperd;

    #[test]
    #[ignore = "needs hyperd, which `make test-tableau` fetches"]
    fn hyperd_ends_with_what_started_it_and_leaves_nothing() {
        let process = Process::start(&hyperd().program).unwrap();
        let running = Path::new("/proc").join(process.child.id().to_string());
        let folder = process.folder.path().to_owned();
        let mode = fs::metadata(&folder).unwrap().permissions().mode();
        assert!(running.exists());
        assert_eq!(mode & 0o777, 0o700);
        drop(process);
        assert!(!running.exists() && !folder.exists());
    }

    #[test]
    #[ignore = "needs hyperd, which `make test-tableau` fetches"]
    fn hyperd_ends_by_itself_when_we_are_gone() {
        let mut process = Process::start(&hyperd().program).unwrap();
        // What the system does for a process that was killed.
        process.callback.shutdown(std::net::Shutdown::Both).unwrap();
        assert!(process.child.wait().unwrap().success());
    }

    #[test]
    #[ignore = "needs hyperd, which `make test-tableau` fetches"]
    fn of_a_hyperd_that_dies_the_first_statement_that_it_did_not_end_is_told() {
        let Server {
            client,
            _process: process,
        } = hyperd().start().unwrap();
        let number = process.child.id().to_string();
        let path = process.folder.path().join("any.hyper");
        let mut server = Server {
            client,
            _process: process,
        };
        server
            .run("create", &format!("create database \"{}\"", path.display()))
            .unwrap();
        assert!(!server.is_gone());
        let error = server.with(&path, |server| {
            Command::new("kill").args(["-KILL", &number]).status().unwrap();
            server.run("ask for one", "select 1")
        });
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("hyperd refused to ask for one: "), "{error}");
        assert!(server.is_gone());
    }

    #[test]
    fn a_program_that_is_no_hyperd_is_an_error_that_says_so() {
        let hyperd = Hyperd {
            program: "/bin/false".into(),
        };
        let error = hyperd.start().err().unwrap().to_string();
        assert!(
            error.starts_with(
                "`/bin/false run` was tried and did not come up: it ended (exit status: 1) and printed nothing"
            ),
            "{error}"
        );
    }
}
