//! Reasons of configuration, files and command lines (`MUSTER-CFG-…`).

use super::reasons;

reasons! {
    SPAN_WRONG = "MUSTER-CFG-0001", "A duration cannot be read",
        "it has no unit or one that is not known",
        "write a number and a unit, as in 15m, 2h or 7d";
    ID_WRONG = "MUSTER-CFG-0002", "An id is not allowed",
        "it is empty, too long, or has letters other than a-z, 0-9, '.', '_' and '-'",
        "use 1 to 32 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit";
    FILE_UNREADABLE = "MUSTER-CFG-0003", "A file cannot be read",
        "it is missing, or this user may not read it",
        "check the path and its permissions";
    FILE_UNWRITABLE = "MUSTER-CFG-0004", "A file cannot be written",
        "a secret stands there already, the disk is full or read-only, or this user may not write there",
        "follow the system's words in the message: another name, free space, or permissions";
    FILE_MODE = "MUSTER-CFG-0005", "A file with a secret can be read by others",
        "its permissions are wider than 0600, or it belongs to another user",
        "run `chmod 600` on the file and check its owner";
    FILE_TOO_LARGE = "MUSTER-CFG-0006", "A file is larger than its kind may be",
        "another file was given by mistake",
        "check the path";
    CONFIG_WRONG = "MUSTER-CFG-0007", "The configuration cannot be used",
        "a name in it is not known, or a value is of the wrong kind",
        "correct the line named, then run muster config check FILE";
    MISUSED = "MUSTER-CFG-0008", "The command line cannot be used",
        "an argument is missing or contradicts another",
        "run the same command with --help";
    DIRECTORY_BUSY = "MUSTER-CFG-0009", "Another process is using this directory",
        "a service or another command works on it at the moment",
        "try again in a moment; if it stays so, find the process and wait for it to end";
    NO_RUNTIME = "MUSTER-CFG-0010", "The program could not start",
        "the system gave it no more files or threads",
        "raise the limits of open files and processes, then try again";
    UNKNOWN_CODE = "MUSTER-CFG-0011", "This reason code is not known",
        "a typing error, or the code of a newer release",
        "muster explain without a code lists all";
    DIRECTORY_UNWRITABLE = "MUSTER-CFG-0012", "Nothing can be written into the directory",
        "it belongs to another user, or its file system is mounted read-only",
        "correct the directory's owner, mode or mount, or run the command as the service's user";
}
