//! A sweep: one process for each seed, some at once, their numbers added up.

use std::io::{self, Write};
use std::process::{Child, Command, Stdio};

use serde_json::{Map, Value, json};

use crate::args::Args;

/// Seeds that broke a promise are named up to this many.
const BROKEN_SHOWN: usize = 20;

/// What the seeds of a sweep came to.
#[derive(Default)]
struct Sum {
    seeds: u64,
    numbers: Map<String, Value>,
    broken: Vec<(u64, String)>,
}

/// Runs the seeds; tells whether every promise held in all of them.
pub(crate) fn run(args: &Args, first: u64, last: u64) -> io::Result<bool> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.unwrap_or(cores).max(1);
    let mut sum = Sum::default();
    let mut running: Vec<(u64, Child)> = Vec::new();
    let mut next = first;
    while next < last || !running.is_empty() {
        while next < last && running.len() < jobs {
            running.push((next, start(args, next)?));
            next += 1;
        }
        // The oldest first: the others go on meanwhile.
        let (seed, child) = running.remove(0);
        sum.take(seed, child)?;
        if sum.seeds % 10 == 0 || sum.seeds == last - first {
            let (done, broken) = (sum.seeds, sum.broken.len());
            eprintln!("{done} of {} seeds, {broken} broke a promise", last - first);
        }
    }
    sum.tell(args, first, last)?;
    Ok(sum.broken.is_empty())
}

fn start(args: &Args, seed: u64) -> io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .args(args.words(seed))
        .arg("--json")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
}

impl Sum {
    fn take(&mut self, seed: u64, child: Child) -> io::Result<()> {
        let output = child.wait_with_output()?;
        self.seeds += 1;
        let document: Value = match serde_json::from_slice(&output.stdout) {
            Ok(document) => document,
            Err(error) => {
                let said = format!("its process ended with {}: {error}", output.status);
                self.broken.push((seed, said));
                return Ok(());
            }
        };
        if let Some(said) = document["violation"].as_str() {
            eprintln!("{said}");
            self.broken.push((seed, said.to_owned()));
        }
        if let Value::Object(numbers) = &document {
            add(&mut self.numbers, numbers);
        }
        Ok(())
    }

    fn tell(&self, args: &Args, first: u64, last: u64) -> io::Result<()> {
        let mut out = io::stdout();
        if args.json {
            let mut numbers = self.numbers.clone();
            numbers.remove("seed");
            numbers.insert("seeds".to_owned(), json!(format!("{first}..{last}")));
            let broken = self.broken.iter();
            let broken: Vec<_> = broken
                .map(|(seed, said)| json!({"seed": seed, "said": said}))
                .collect();
            numbers.insert("violations".to_owned(), Value::Array(broken));
            return writeln!(out, "{}", serde_json::to_string_pretty(&numbers)?);
        }
        let number = |name: &str| self.numbers.get(name).cloned().unwrap_or(json!(0));
        writeln!(
            out,
            "seeds {first}..{last}: {} client-years, {} asks, {} grants, {} host crashes, {} client \
             crashes; {} seeds broke a promise",
            number("client_years"),
            number("asks"),
            number("grants"),
            number("host_crashes"),
            number("client_crashes"),
            self.broken.len()
        )?;
        for (seed, said) in self.broken.iter().take(BROKEN_SHOWN) {
            writeln!(out, "{said}\n  to see it again: {}", args.replay(*seed))?;
        }
        Ok(())
    }
}

/// Adds numbers to those of the same name, also inside of objects.
fn add(sum: &mut Map<String, Value>, numbers: &Map<String, Value>) {
    for (name, value) in numbers {
        let so_far = sum.entry(name).or_insert(Value::Null);
        match (value, &mut *so_far) {
            (Value::Object(inner), Value::Object(sum)) => add(sum, inner),
            (Value::Object(inner), so_far) => {
                let mut sum = Map::new();
                add(&mut sum, inner);
                *so_far = Value::Object(sum);
            }
            (Value::Number(number), so_far) => *so_far = plus(so_far, number),
            _ => {}
        }
    }
    sum.retain(|_, value| !value.is_null());
}

fn plus(sum: &Value, number: &serde_json::Number) -> Value {
    match (sum.as_u64().or(sum.is_null().then_some(0)), number.as_u64()) {
        (Some(sum), Some(number)) => json!(sum + number),
        _ => {
            let tenths = (sum.as_f64().unwrap_or(0.0) + number.as_f64().unwrap_or(0.0)) * 10.0;
            json!(tenths.round() / 10.0)
        }
    }
}
