/* Stands between the real binary and libc in crash tests: it counts every call that changes what lies
 * under one directory, over all threads, and at the call of one number ends the process, tears the
 * write, or fails that call and all later ones. The plan lies in a file that both sides map, so a test
 * can break a running service's disk and mend it again. Never shipped. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* What becomes of the call; the same numbers stand in faults.rs. */
enum fault { NONE = 0, KILLED_BEFORE = 1, KILLED_AFTER = 2, TORN = 3, FAILS = 4 };
/* What `enter` tells its caller. */
enum step { GO, GO_AND_DIE, TEAR, REFUSE };

struct plan {
    _Atomic uint64_t met;    /* calls so far */
    _Atomic uint64_t at;     /* the call of this number, counted from 1 */
    _Atomic uint32_t fault;
    _Atomic uint32_t detail; /* TORN: bytes that are written; FAILS: the errno */
};

static struct plan *plan;
static char root[PATH_MAX];

__attribute__((constructor)) static void begin(void) {
    const char *file = getenv("CRASH_PLAN"), *directory = getenv("CRASH_ROOT");
    if (!file || !directory) return;
    snprintf(root, sizeof root, "%s/", directory);
    int fd = open(file, O_RDWR | O_CLOEXEC);
    void *mapped = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped == MAP_FAILED) abort();
    plan = mapped;
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static int is_path(const char *path) { return plan && !strncmp(path, root, strlen(root)); }

static int is_fd(int fd) {
    if (!plan) return 0;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_path(path);
}

static int is_at(int fd, const char *path) {
    return path[0] == '/' ? is_path(path) : is_fd(fd);
}

/* `frees` is a call that works on a full disk too. */
static enum step enter(int frees) {
    uint64_t number = atomic_fetch_add(&plan->met, 1) + 1, at = atomic_load(&plan->at);
    uint32_t fault = atomic_load(&plan->fault), detail = atomic_load(&plan->detail);
    if (fault == FAILS && number >= at && !(frees && detail == ENOSPC)) {
        errno = (int)detail;
        return REFUSE;
    }
    if (number != at) return GO;
    if (fault == KILLED_BEFORE) die();
    if (fault == KILLED_AFTER) return GO_AND_DIE;
    return fault == TORN ? TEAR : GO;
}

#define CALL(type, name, params, args, concerned, frees)                              \
    type name params {                                                                \
        static __typeof__(name) *real;                                                \
        if (!real) real = (__typeof__(real))dlsym(RTLD_NEXT, #name);                  \
        if (!(concerned)) return real args;                                           \
        enum step step = enter(frees);                                                \
        if (step == REFUSE) return -1;                                                \
        if (step == TEAR) die();                                                      \
        type done = real args;                                                        \
        if (step == GO_AND_DIE) die();                                                \
        return done;                                                                  \
    }

/* A call that writes `size` bytes: torn, its first bytes come to the disk. */
#define WRITE(name, params, args)                                                     \
    ssize_t name params {                                                             \
        static __typeof__(name) *real;                                                \
        if (!real) real = (__typeof__(real))dlsym(RTLD_NEXT, #name);                  \
        if (!is_fd(fd)) return real args;                                             \
        enum step step = enter(0);                                                    \
        if (step == REFUSE) return -1;                                                \
        if (step == TEAR && size > plan->detail) size = plan->detail;                 \
        ssize_t done = real args;                                                     \
        if (step != GO) die();                                                        \
        return done;                                                                  \
    }

WRITE(write, (int fd, const void *bytes, size_t size), (fd, bytes, size))
WRITE(pwrite, (int fd, const void *bytes, size_t size, off_t to), (fd, bytes, size, to))
WRITE(pwrite64, (int fd, const void *bytes, size_t size, off64_t to), (fd, bytes, size, to))
CALL(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count), is_fd(fd), 0)
CALL(int, fsync, (int fd), (fd), is_fd(fd), 0)
CALL(int, fdatasync, (int fd), (fd), is_fd(fd), 0)
CALL(int, ftruncate, (int fd, off_t size), (fd, size), is_fd(fd), 0)
CALL(int, ftruncate64, (int fd, off64_t size), (fd, size), is_fd(fd), 0)
CALL(int, fallocate, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size), is_fd(fd), 0)
CALL(int, fallocate64, (int fd, int mode, off64_t at, off64_t size), (fd, mode, at, size), is_fd(fd), 0)
CALL(int, fchmod, (int fd, mode_t mode), (fd, mode), is_fd(fd), 1)
CALL(int, fchown, (int fd, uid_t user, gid_t group), (fd, user, group), is_fd(fd), 1)
CALL(int, rename, (const char *from, const char *to), (from, to), is_path(to), 0)
CALL(int, link, (const char *from, const char *to), (from, to), is_path(to), 0)
CALL(int, linkat, (int from, const char *old, int to, const char *new, int flags),
     (from, old, to, new, flags), is_at(to, new), 0)
CALL(int, symlink, (const char *target, const char *path), (target, path), is_path(path), 0)
CALL(int, unlink, (const char *path), (path), is_path(path), 1)
CALL(int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags), is_at(fd, path), 1)
CALL(int, rmdir, (const char *path), (path), is_path(path), 1)
CALL(int, mkdir, (const char *path, mode_t mode), (path, mode), is_path(path), 0)

/* Opening is a change where it may make a file or empty one; a full disk opens one that is there. */
#define OPEN(name, params, args, concerned, exists)                                   \
    int name params {                                                                 \
        static __typeof__(name) *real;                                                \
        if (!real) real = (__typeof__(real))dlsym(RTLD_NEXT, #name);                  \
        va_list more;                                                                 \
        va_start(more, flags);                                                        \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;       \
        va_end(more);                                                                 \
        if (!plan || !(flags & (O_CREAT | O_TRUNC)) || !(concerned)) return real args;\
        enum step step = enter(exists);                                               \
        if (step == REFUSE) return -1;                                                \
        if (step == TEAR) die();                                                      \
        int done = real args;                                                         \
        if (step == GO_AND_DIE) die();                                                \
        return done;                                                                  \
    }

OPEN(open, (const char *path, int flags, ...), (path, flags, mode), is_path(path), !access(path, F_OK))
OPEN(open64, (const char *path, int flags, ...), (path, flags, mode), is_path(path), !access(path, F_OK))
OPEN(openat, (int fd, const char *path, int flags, ...), (fd, path, flags, mode), is_at(fd, path),
     !faccessat(fd, path, F_OK, 0))
OPEN(openat64, (int fd, const char *path, int flags, ...), (fd, path, flags, mode), is_at(fd, path),
     !faccessat(fd, path, F_OK, 0))
