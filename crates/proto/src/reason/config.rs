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
        "the disk is full or read-only, or this user may not write there",
        "free space, check the mount and the permissions, then try again";
    FILE_MODE = "MUSTER-CFG-0005", "A file with a secret can be read by others",
        "its permissions are wider than 0600, or it belongs to another user",
        "chmod 600 the file and check its owner";
    FILE_TOO_LARGE = "MUSTER-CFG-0006", "A file is larger than its kind may be",
        "another file was given by mistake",
        "check the path";
    CONFIG_WRONG = "MUSTER-CFG-0007", "The configuration cannot be used",
        "a name or value in the file is not known",
        "correct the line named; muster config check FILE tells more";
    MISUSED = "MUSTER-CFG-0008", "The command line cannot be used",
        "an argument is missing or contradicts another",
        "see --help";
    DIRECTORY_BUSY = "MUSTER-CFG-0009", "Another process is using this directory",
        "a service or another command works on it at the moment",
        "wait for it to end, or use its own commands";
    NO_RUNTIME = "MUSTER-CFG-0010", "The program could not start",
        "the system gave it no more files or threads",
        "raise the limits of open files and processes, then try again";
    UNKNOWN_CODE = "MUSTER-CFG-0011", "This reason code is not known",
        "a typing error, or the code of a newer release",
        "muster explain without a code lists all";
}
