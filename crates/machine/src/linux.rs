//! Linux: `/etc`, `/proc` and `/sys` under a system root.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use muster_proto::hardware::Component;
use muster_proto::time::Span;
use rustix::time::{ClockId, clock_gettime};

/// Bytes read of one file of `/proc` or `/sys` at most.
const READ_BYTES_MAX: u64 = 65_536;
/// Bytes in which a file says what is looked for first: its only line, or the model in the first record
/// of `/proc/cpuinfo`; the kernel makes the records of further processors only for who reads on, at 10 us
/// each.
const FIRST_BYTES: usize = 512;
/// Entries of one directory of `/sys` looked at at most.
const ENTRIES_MAX: usize = 256;

/// What firmware writes where a maker wrote nothing; equal on many machines, so no component.
const FILLERS: [&str; 10] = [
    "none",
    "not specified",
    "not applicable",
    "default string",
    "to be filled by o.e.m.",
    "system serial number",
    "0",
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "unknown",
];

pub(crate) fn component(root: &Path, kind: Component) -> Option<String> {
    match kind {
        Component::Installation => line(root, "etc/machine-id"),
        Component::SystemUuid => dmi(root, "product_uuid"),
        Component::BoardSerial => dmi(root, "board_serial"),
        Component::Model => model(root),
        Component::Processor => processor(root),
        Component::Memory => memory(root),
        Component::Disk => disk(root),
        Component::Network => network(root),
    }
}

pub(crate) fn is_virtual(root: &Path) -> bool {
    let flags = field(root, "proc/cpuinfo", "flags").unwrap_or_default();
    flags.split_whitespace().any(|flag| flag == "hypervisor")
        || root.join("sys/hypervisor/type").exists()
}

pub(crate) fn host_name(root: &Path) -> Option<String> {
    line(root, "proc/sys/kernel/hostname").or_else(|| line(root, "etc/hostname"))
}

/// The domain of the machine's name: of the name itself where it is a full one, otherwise of the full
/// name that `etc/hosts` gives beside it, where Debian's installer writes it.
pub(crate) fn domain(root: &Path) -> Option<String> {
    let name = host_name(root)?.to_ascii_lowercase();
    if let Some((_, domain)) = name.split_once('.') {
        return Some(domain.to_owned());
    }
    let hosts = read(&root.join("etc/hosts"))?.to_ascii_lowercase();
    hosts.lines().find_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let names: Vec<&str> = line.split_whitespace().skip(1).collect();
        let full = |full: &&str| {
            full.strip_prefix(&name)?
                .strip_prefix('.')
                .map(str::to_owned)
        };
        let is_own = names.contains(&name.as_str());
        is_own.then(|| names.iter().find_map(full)).flatten()
    })
}

/// It is read once: no process outlives its boot.
pub(crate) fn boot_id() -> Option<String> {
    static BOOT: OnceLock<String> = OnceLock::new();
    if BOOT.get().is_none() {
        let read = line(Path::new("/"), "proc/sys/kernel/random/boot_id")?;
        let _ = BOOT.set(read);
    }
    BOOT.get().cloned()
}

/// What `/proc/uptime` shows, without the reckoning behind it: a host asks for each ask.
pub(crate) fn uptime() -> Option<Span> {
    let uptime = clock_gettime(ClockId::Boottime);
    Some(Span::from_seconds(uptime.tv_sec.try_into().ok()?))
}

fn dmi(root: &Path, name: &str) -> Option<String> {
    line(root, &format!("sys/class/dmi/id/{name}"))
}

/// Maker and model, or the one of them that is told.
fn model(root: &Path) -> Option<String> {
    let parts = [dmi(root, "sys_vendor"), dmi(root, "product_name")];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// Read once a process, as the boot's id is: the kernel writes a record of 1,500 bytes for it.
fn processor(root: &Path) -> Option<String> {
    static PROCESSOR: OnceLock<String> = OnceLock::new();
    if root != Path::new("/") {
        return read_processor(root);
    }
    if PROCESSOR.get().is_none() {
        let _ = PROCESSOR.set(read_processor(root)?);
    }
    PROCESSOR.get().cloned()
}

fn read_processor(root: &Path) -> Option<String> {
    let file = root.join("proc/cpuinfo");
    // Arm has no model name; its implementer and part say the same.
    field_at_first(&file, "model name").or_else(|| {
        let text = read(&file)?;
        field_of(&text, "model name").or_else(|| field_of(&text, "CPU part"))
    })
}

/// Whole GiB, rounded: the kernel's own share changes from release to release.
fn memory(root: &Path) -> Option<String> {
    let kib = match root == Path::new("/") {
        // `MemTotal` without the rest of the file, which takes the kernel ten times as long. In a
        // container with a `/proc` of its own making this is the machine's.
        true => sysinfo_kib(),
        false => {
            let text = field(root, "proc/meminfo", "MemTotal")?;
            text.split_whitespace().next()?.parse().ok()?
        }
    };
    Some(format!("{} GiB", kib.saturating_add(1 << 19) >> 20))
}

fn sysinfo_kib() -> u64 {
    let info = rustix::system::sysinfo();
    let bytes = info.totalram as u128 * u128::from(info.mem_unit);
    u64::try_from(bytes >> 10).unwrap_or(u64::MAX)
}

/// The serial number or world-wide name of the first disk, by name, that has one.
fn disk(root: &Path) -> Option<String> {
    entries(root, "sys/block").into_iter().find_map(|disk| {
        let name = disk.file_name()?.to_str()?;
        if ["loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd"]
            .iter()
            .any(|p| name.starts_with(p))
        {
            return None;
        }
        ["device/serial", "serial", "device/wwid", "wwid"]
            .iter()
            .find_map(|file| line(&disk, file))
    })
}

/// The address of the first network device, by name, that has hardware and a permanent address.
fn network(root: &Path) -> Option<String> {
    entries(root, "sys/class/net")
        .into_iter()
        .find_map(|device| {
            let physical = device.join("device").exists();
            let permanent = line(&device, "addr_assign_type").is_none_or(|kind| kind == "0");
            (physical && permanent).then(|| line(&device, "address"))?
        })
}

/// A directory's entries in the order of their names.
fn entries(root: &Path, dir: &str) -> Vec<PathBuf> {
    let Ok(read) = fs::read_dir(root.join(dir)) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = read
        .take(ENTRIES_MAX)
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    paths
}

/// The value of the first line `name : value`.
fn field(root: &Path, file: &str, name: &str) -> Option<String> {
    field_of(&read(&root.join(file))?, name)
}

/// The same, where it stands in the whole lines that a file begins with.
fn field_at_first(file: &Path, name: &str) -> Option<String> {
    let first = read_first(file)?;
    let whole = match first.len() < FIRST_BYTES {
        true => first.as_str(),
        // What stands in the last line may be cut.
        false => first.rsplit_once('\n')?.0,
    };
    field_of(whole, name)
}

fn field_of(text: &str, name: &str) -> Option<String> {
    let value = text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })?;
    (!value.is_empty()).then_some(value)
}

/// A file's first line, unless it is empty or a maker's filler.
fn line(root: &Path, file: &str) -> Option<String> {
    let path = root.join(file);
    let first = read_first(&path)?;
    let text = match first.len() < FIRST_BYTES || first.contains('\n') {
        true => first,
        false => read(&path)?,
    };
    let value = text.lines().next()?.trim();
    let filler = FILLERS.contains(&value.to_ascii_lowercase().as_str());
    (!value.is_empty() && !filler).then(|| value.to_owned())
}

fn read(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    fs::File::open(path)
        .ok()?
        .take(READ_BYTES_MAX)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// What one read brings: fewer bytes than `FIRST_BYTES` are the whole file, as files of `/proc`, `/sys`
/// and disks give what they have.
fn read_first(path: &Path) -> Option<String> {
    let mut bytes = [0; FIRST_BYTES];
    let length = fs::File::open(path).ok()?.read(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes[..length]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn a_whole_machine_is_read() {
        let root = declared(&[
            ("etc/machine-id", "0123\n"),
            ("sys/class/dmi/id/sys_vendor", "Maker"),
            ("sys/class/dmi/id/product_name", "Model 5"),
            ("sys/class/dmi/id/product_uuid", "11-22"),
            ("sys/class/dmi/id/board_serial", "B1"),
            (
                "proc/cpuinfo",
                "processor : 0\nmodel name\t: Chip 9\nflags : fpu hypervisor\n",
            ),
            (
                "proc/meminfo",
                "MemTotal:       16282348 kB\nMemFree: 1 kB\n",
            ),
            ("sys/block/loop0/serial", "no"),
            ("sys/block/vda/serial", "D1"),
            ("sys/class/net/a/address", "00:00"), // no device behind it
            ("sys/class/net/e/address", "52:54"),
            ("sys/class/net/e/device/vendor", "1"),
        ]);
        let expected = [
            "0123",
            "11-22",
            "B1",
            "Maker Model 5",
            "Chip 9",
            "16 GiB",
            "D1",
            "52:54",
        ];
        for (kind, value) in Component::ALL.into_iter().zip(expected) {
            assert_eq!(component(root.path(), kind).as_deref(), Some(value));
        }
        assert!(is_virtual(root.path()));
    }

    #[test]
    fn fillers_and_missing_files_are_no_components() {
        let root = declared(&[
            ("sys/class/dmi/id/board_serial", "To be filled by O.E.M.\n"),
            ("sys/class/dmi/id/product_uuid", "\n"),
        ]);
        for kind in Component::ALL {
            assert_eq!(component(root.path(), kind), None);
        }
        assert!(!is_virtual(root.path()));
    }

    #[test]
    fn memory_beyond_all_bounds_is_a_component_too() {
        let told = format!("MemTotal: {} kB", u64::MAX);
        let root = declared(&[("proc/meminfo", &told)]);
        assert!(component(root.path(), Component::Memory).is_some());
    }

    #[test]
    fn the_domain_is_that_of_the_full_name() {
        let domain_of = |name: &str, hosts: &str| {
            domain(declared(&[("etc/hostname", name), ("etc/hosts", hosts)]).path())
        };
        let debian = "127.0.0.1 localhost\n127.0.1.1\tPC1.Corp.example pc1\n";
        assert_eq!(domain_of("pc1\n", debian).as_deref(), Some("corp.example"));
        assert_eq!(
            domain_of("pc1.lab.example", debian).as_deref(),
            Some("lab.example")
        );
        for none in [
            "",
            "127.0.0.1 localhost.localdomain localhost pc1",
            "192.0.2.7 pc1.other.example # pc1",
            "192.0.2.7 pc1x.other.example pc1",
        ] {
            assert_eq!(domain_of("pc1", none), None, "{none}");
        }
    }

    #[test]
    fn this_machine_tells_its_clocks() {
        assert!(uptime().is_some() && boot_id().is_some());
    }
}
