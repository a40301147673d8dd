//! Reasons of the stores (`MUSTER-STO-…`).

use super::reasons;

reasons! {
    NOT_OPENED = "MUSTER-STO-0001", "The database cannot be opened",
        "the directory is missing, or this user may not read or write there",
        "check the path and its permissions";
    READ_ONLY = "MUSTER-STO-0002", "The database cannot be written",
        "its file system is mounted read-only, or this user may not write there",
        "check the mount and the permissions; nothing was lost";
    FULL = "MUSTER-STO-0003", "The disk is full",
        "the file system, or this user's quota of it, has no space left",
        "free space; the service then goes on by itself, and nothing was lost";
    DISK_FAILED = "MUSTER-STO-0004", "The disk failed to read or write",
        "a size limit was reached, or the disk is failing",
        "look into the system's log and check the disk; nothing acknowledged was lost";
    CORRUPT = "MUSTER-STO-0005", "The database is damaged",
        "the file was cut or overwritten, or the disk is failing; it was left as it is",
        "move the file aside and restore the newest backup";
    WRONG_KIND = "MUSTER-STO-0006", "The file is not a database of this role",
        "another role's database, or another program's, was given",
        "check the path";
    NEWER = "MUSTER-STO-0007", "The database was written by a newer release",
        "muster was downgraded; the file was left as it is",
        "install the newer release again, or restore a backup of this one";
    BUSY = "MUSTER-STO-0008", "The database is locked by another process",
        "another command has been writing to it for several seconds",
        "try again; if it stays so, find the process that holds the file";
    STOPPED = "MUSTER-STO-0009", "The store has stopped",
        "the service is stopping, or the disk failed and the store no longer trusts it",
        "see the message before this one in the log, then start the service again";
    DIRECTORY_OPEN = "MUSTER-STO-0010", "The directory of the database can be written by others",
        "its permissions allow other users to replace files in it",
        "run `chmod go-w` on the directory and check its owner";
    INTERNAL = "MUSTER-STO-0011", "The database refused a statement of this program",
        "a fault of muster",
        "report it with the message in the log";
    QUEUE_FULL = "MUSTER-STO-0012", "Too many changes wait for the disk",
        "the disk is slow, or more is asked than it can write",
        "nothing: the asker tries again later; look at the disk if it stays so";
    NO_BACKUP = "MUSTER-STO-0013", "The file is not a backup of this store",
        "another file was given, or the backup was cut or damaged",
        "give a file that `backup --out FILE` wrote";
    CHANGED_MEANWHILE = "MUSTER-STO-0014", "Another command changed the same store at the same time",
        "two administrators, or a command and the service, work on it",
        "look at the present state, then repeat the command if it is still wanted";
    VALUE_TOO_LARGE = "MUSTER-STO-0015", "A value is larger than the store keeps",
        "a setting, certificate or policy is far beyond its usual size",
        "check what was given";
    TOO_MANY_POOLS = "MUSTER-STO-0016", "The store has no number left for another count pool",
        "far more products and publishers were installed than one host serves",
        "serve some of the products from another host";
    ROW_UNREADABLE = "MUSTER-STO-0017", "A stored row cannot be read",
        "the database is damaged, or was written by something else",
        "move the file aside and restore the newest backup";
    NO_THREAD = "MUSTER-STO-0018", "The store could not start a thread",
        "the system gave the program no more threads",
        "raise the limit of processes for this user, then try again";
    NEARLY_FULL = "MUSTER-STO-0019", "The disk is nearly full",
        "the file system, or this user's quota of it, has less than 64 MiB left",
        "free space before it is full";
    REPLACED = "MUSTER-STO-0020", "Another host's store has come in the place of this one",
        "a backup of another host was restored while this ask was under way",
        "nothing: the client fetches the host's greeting and asks again";
}
