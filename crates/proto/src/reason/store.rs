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
    SERVER_UNREACHABLE = "MUSTER-STO-0021", "The database server does not answer",
        "it is stopped, starting, or changing its leader, or the network to it is cut",
        "nothing if it comes back: the service goes on by itself; otherwise look at the server";
    LOGIN_REFUSED = "MUSTER-STO-0022", "The database server refused the login",
        "the user, the password or the database of the URL is wrong, or its rules do not let this host in",
        "check the URL, the password file and the server's pg_hba.conf";
    NOT_PRIMARY = "MUSTER-STO-0023", "The database server takes no changes",
        "it is a standby, or was made read-only; no host of the URL is the leader now",
        "name every server of the cluster in the URL; while a new leader is chosen, wait";
    OUTCOME_UNKNOWN = "MUSTER-STO-0024", "It is not known whether the change was kept",
        "the connection to the database server was lost while it was committing",
        "ask again: what was kept is found again, and what was not is done then";
    CONFLICTS = "MUSTER-STO-0025", "Other hosts changed the same rows again and again",
        "more hosts write to one database than it keeps up with",
        "nothing: the asker tries again later; look at the server's load if it stays so";
    NOT_PERMITTED = "MUSTER-STO-0026", "The database user may not do this",
        "its role lacks a right on muster's tables, or may not make them",
        "grant the rights, or let a role that may make tables start the new release once";
    SERVER_BUSY = "MUSTER-STO-0027", "The database server has no room for more",
        "its connections, its memory or its locks are used up",
        "nothing: the asker tries again later; raise the server's limits if it stays so";
    BAD_URL = "MUSTER-STO-0028", "The URL of the store cannot be used",
        "it is not of the form postgres://user@host:port/database, or has a parameter that is not known",
        "correct the URL; several hosts are divided by commas";
    ASYNCHRONOUS = "MUSTER-STO-0029", "The database server answers before a second one has the change",
        "it replicates asynchronously: losing it loses what it had acknowledged",
        "set synchronous_commit = on and synchronous_standby_names, or Patroni's synchronous_mode";
    NOT_DURABLE = "MUSTER-STO-0030", "The database server answers before its own disk has the change",
        "fsync, full_page_writes or synchronous_commit is off: a crash loses what it had acknowledged",
        "set all three to on and reload the server";
    NO_STANDBY = "MUSTER-STO-0031", "The database server waits for a second one that is not there",
        "synchronous_standby_names names standbys of which none is connected: no change comes to its end",
        "start the standby, or name another one";
    SERVER_UNTRUSTED = "MUSTER-STO-0032", "The database server could not be trusted over TLS",
        "its certificate is of another CA or for another name, or it speaks no TLS, or it did not take ours",
        "give its CA's certificate by sslrootcert and name it as its certificate does; see ssl in postgresql.conf";
}
