//! The command line of `muster-sim`.

use std::path::PathBuf;

use clap::Parser;
use muster_sim::{Fault, Options};

/// Lets simulated years pass over many clients, hosts and faults, and checks muster's promises after
/// each step. Exit 0: all held; 1: one broke, and the way to see it again is printed.
#[derive(Debug, Parser)]
#[command(name = "muster-sim", version)]
pub(crate) struct Args {
    /// The seed of one world.
    #[arg(long, conflicts_with = "seeds", default_value_t = 1)]
    pub(crate) seed: u64,
    /// A sweep over the seeds A..B, B not included: each in a process of its own.
    #[arg(long, value_name = "A..B")]
    pub(crate) seeds: Option<String>,
    /// Years of 365 days that each world lasts.
    #[arg(long, default_value_t = 1)]
    pub(crate) years: u64,
    /// Client machines at the start.
    #[arg(long, default_value_t = 16)]
    pub(crate) clients: usize,
    /// KMS hosts; drawn from the seed where none is said.
    #[arg(long)]
    pub(crate) hosts: Option<usize>,
    /// Faults that may strike, by name; none of them with `none`.
    #[arg(long, value_delimiter = ',')]
    pub(crate) faults: Vec<String>,
    /// Writes what happens, a line for each step.
    #[arg(long, value_name = "FILE", conflicts_with = "seeds")]
    pub(crate) log: Option<PathBuf>,
    /// Prints one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
    /// Processes of a sweep that run at once; as many as there are cores where none is said.
    #[arg(long)]
    pub(crate) jobs: Option<usize>,
    /// Switches one rule of proto off, by name: the control that must fail.
    #[cfg(feature = "break-rules")]
    #[arg(long, value_name = "RULE")]
    pub(crate) without: Option<String>,
}

impl Args {
    /// The first seed and the one after the last.
    pub(crate) fn seeds(&self) -> Result<(u64, u64), String> {
        let Some(range) = &self.seeds else {
            self.check()?;
            return Ok((self.seed, self.seed));
        };
        let wrong = || format!("--seeds {range:?}: write two numbers as in 1..100");
        let (first, last) = range.split_once("..").ok_or_else(wrong)?;
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong());
        let (first, last) = (number(first)?, number(last)?);
        if first >= last {
            return Err(wrong());
        }
        self.check()?;
        Ok((first, last))
    }

    fn check(&self) -> Result<(), String> {
        self.faults()?;
        if self.years == 0 || self.years > 100 {
            return Err("--years is 1 to 100".to_owned());
        }
        if self.clients == 0 || self.clients > 10_000 {
            return Err("--clients is 1 to 10000".to_owned());
        }
        if self.hosts.is_some_and(|hosts| hosts == 0 || hosts > 16) {
            return Err("--hosts is 1 to 16".to_owned());
        }
        #[cfg(feature = "break-rules")]
        if self.without.is_some() && self.broken_rule().is_none() {
            return Err("--without names no rule".to_owned());
        }
        Ok(())
    }

    fn faults(&self) -> Result<Vec<Fault>, String> {
        match self.faults.as_slice() {
            [] => Ok(Fault::ALL.to_vec()),
            [none] if none == "none" => Ok(Vec::new()),
            [all] if all == "all" => Ok(Fault::ALL.to_vec()),
            names => names.iter().map(|name| name.parse()).collect(),
        }
    }

    /// The world of a seed.
    pub(crate) fn options(&self, seed: u64) -> Options {
        Options {
            seed,
            years: self.years,
            clients: self.clients,
            hosts: self.hosts,
            faults: self.faults().unwrap_or_default(),
        }
    }

    /// The words that run one seed as here.
    pub(crate) fn words(&self, seed: u64) -> Vec<String> {
        let mut words = vec![format!("--seed={seed}"), format!("--years={}", self.years)];
        words.push(format!("--clients={}", self.clients));
        words.extend(self.hosts.map(|hosts| format!("--hosts={hosts}")));
        if !self.faults.is_empty() {
            words.push(format!("--faults={}", self.faults.join(",")));
        }
        #[cfg(feature = "break-rules")]
        words.extend(self.without.iter().map(|rule| format!("--without={rule}")));
        words
    }

    /// The command that runs one seed again and keeps its log.
    pub(crate) fn replay(&self, seed: u64) -> String {
        format!(
            "muster-sim {} --log sim-{seed}.log",
            self.words(seed).join(" ")
        )
    }

    /// The rule to be switched off.
    #[cfg(feature = "break-rules")]
    pub(crate) fn broken_rule(&self) -> Option<muster_proto::rules::Rule> {
        use muster_proto::rules::Rule;
        let named = self.without.as_ref()?;
        let rules = Rule::ALL.iter().chain(&Rule::TICKETS).chain(&Rule::IN_TIME);
        let mut named = rules.filter(|rule| format!("{rule:?}").eq_ignore_ascii_case(named));
        named.next().copied()
    }
}
