//! `muster completions` and `muster man`: made from the command line's own definition.

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use muster_proto::Refusal;
use muster_proto::reason::config as reasons;
use serde_json::json;

use crate::args::Cli;
use crate::report::Report;

/// Prints completions for a shell.
pub(super) fn completions(shell: clap_complete::Shell) -> Result<Report, Refusal> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "muster", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    Ok(Report::new(
        json!({ "shell": shell.to_string(), "script": script }),
        script,
    ))
}

/// Writes one man page for each command.
pub(super) fn man(dir: &Path) -> Result<Report, Refusal> {
    let unwritable = |error: std::io::Error| {
        Refusal::new(
            reasons::FILE_UNWRITABLE,
            format!("{}: {error}", dir.display()),
        )
    };
    fs::create_dir_all(dir).map_err(unwritable)?;
    clap_mangen::generate_to(Cli::command(), dir).map_err(unwritable)?;
    let mut pages: Vec<String> = fs::read_dir(dir)
        .map_err(unwritable)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("muster") && name.ends_with(".1"))
        .collect();
    pages.sort();
    let text = format!("{} man pages in {}", pages.len(), dir.display());
    Ok(Report::new(json!({ "dir": dir, "pages": pages }), text))
}
