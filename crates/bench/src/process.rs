//! Servers as processes of their own: started on one core, measured from outside, ended by id.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::cores::process_time;
use crate::failure::{During, Failure, Outcome};

/// A server process; it is killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

/// What a process holds in memory, in MB of 1,000,000 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Resident now.
    pub(crate) now: f64,
    /// Resident at most so far.
    pub(crate) peak: f64,
}

impl Server {
    /// Starts a program on one core and waits for its line `listening on ADDRESS`. What it logs goes
    /// to a file.
    pub(crate) fn start(program: &Path, args: &[&str], core: usize, log: &Path) -> Outcome<Self> {
        let mut words = File::create(log).during("the server's log")?;
        let errors = words.try_clone().during("the server's log")?;
        let mut child = on_core(core, program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .during("taskset")?;
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut stdout = BufReader::new(stdout);
        match ready(&mut stdout, &mut words) {
            Ok(address) => {
                // A server waits when nobody reads what it logs. The thread ends with the server.
                std::thread::spawn(move || std::io::copy(&mut stdout, &mut words));
                Ok(Self { child, address })
            }
            Err(failure) => {
                let _ = child.kill();
                let _ = child.wait();
                let said = std::fs::read_to_string(log).unwrap_or_default();
                Err(Failure(format!("{failure}; it said: {}", said.trim())))
            }
        }
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The CPU time that it has used so far.
    pub(crate) fn time(&self) -> Outcome<Duration> {
        process_time(self.pid())
    }

    /// The memory that it holds.
    pub(crate) fn memory(&self) -> Outcome<Memory> {
        let path = format!("/proc/{}/status", self.pid());
        let text = std::fs::read_to_string(path).during("the server's memory")?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
            Some(kib * 1_024.0 / 1_000_000.0)
        };
        let missing = || Failure::said("the kernel does not tell the server's memory");
        Ok(Memory {
            now: field("VmRSS:").ok_or_else(missing)?,
            peak: field("VmHWM:").ok_or_else(missing)?,
        })
    }

    /// SIGKILL, and waits for the end.
    pub(crate) fn kill(mut self) -> Outcome<()> {
        self.child.kill().during("killing the server")?;
        self.child.wait().during("the server's end").map(|_| ())
    }

    /// SIGTERM, and waits for an orderly end.
    pub(crate) fn stop(mut self) -> Outcome<()> {
        signal("TERM", self.pid())?;
        let status = self.child.wait().during("the server's end")?;
        if status.success() {
            Ok(())
        } else {
            Err(Failure(format!("the server ended with {status}")))
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal by its name to a process that was started here.
pub(crate) fn signal(name: &str, pid: u32) -> Outcome<()> {
    let args = [format!("-{name}"), pid.to_string()];
    run(Command::new("kill").args(args)).map(|_| ())
}

/// A command that runs on one core.
pub(crate) fn on_core(core: usize, program: &Path) -> Command {
    let mut command = command(Path::new("taskset"));
    command.args(["--cpu-list", &core.to_string()]).arg(program);
    command
}

/// A command that this process's `MUSTER_…` variables do not change.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MUSTER_")) {
        command.env_remove(name);
    }
    command
}

/// Runs a command to its end and gives back what it printed; exit 0 is demanded.
pub(crate) fn run(command: &mut Command) -> Outcome<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().during(&name)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let args: Vec<_> = command
            .get_args()
            .map(|arg| arg.to_string_lossy())
            .collect();
        return Err(Failure(format!(
            "`{name} {}` ended with {}: {}",
            args.join(" "),
            output.status,
            said.trim()
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Where a program of this name is on the search path.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Reads to the ready line; what is logged before it goes to the log.
fn ready(stdout: &mut impl BufRead, log: &mut impl Write) -> Outcome<SocketAddr> {
    let mut line = String::new();
    loop {
        line.clear();
        if stdout.read_line(&mut line).during("the server's output")? == 0 {
            return Err(Failure::said("the server ended before it was ready"));
        }
        if let Some(rest) = line.strip_prefix("listening on ") {
            let first = rest.split([',', ' ', '\n']).next().unwrap_or_default();
            return first.parse().during("the address that the server prints");
        }
        log.write_all(line.as_bytes()).during("the server's log")?;
    }
}
