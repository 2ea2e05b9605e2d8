/* A disk and a clock that fail on purpose, under one process: LD_PRELOAD. What is written below STORM_FOLDER is recorded in
 * STORM_TRACE, so that a test can say which of it a power cut would have left; STORM_CONTROL says what goes wrong now.
 * Loses nothing itself, and knows nothing of what it carries. Layouts: storm.py. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { WRITE = 1, SYNC, TRUNCATE, CREATE, RENAME, UNLINK };
enum { WHOLE = 0, READ_ONLY = 1, UNWRITABLE = 2 };
enum { FILES = 4096 };

struct control {
    int64_t clock_ms;    /* added to the clock of the day */
    int64_t room;        /* bytes that files may still grow by; negative: as they like */
    int64_t mode;
    int64_t bad_file, bad_from, bad_to; /* reads of the file with this number that touch these bytes fail with EIO */
    int64_t writes_left; /* the process is killed in the middle of the write that makes it 0; negative: never */
    int64_t writes;
    int64_t next_mode; /* not 0: the mode from the moment on in which a file named `remote` is durable under its name */
};

struct head {
    int64_t kind, file, offset, length;
};

static volatile struct control *control;
static char folder[1024];
static int trace = -1;
static char kept[FILES];   /* descriptors below the folder */
static int is_remote_named;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ({ static __typeof__(&name) found; if (!found) found = dlsym(RTLD_NEXT, #name); found; })

__attribute__((constructor)) static void begin(void) {
    const char *place = getenv("STORM_FOLDER"), *path = getenv("STORM_TRACE"), *rule = getenv("STORM_CONTROL");
    if (place) snprintf(folder, sizeof folder, "%s/", place);
    if (path) trace = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int file = rule ? syscall(SYS_openat, AT_FDCWD, rule, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *page = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) control = page;
    syscall(SYS_close, file);
}

/* The folder itself counts: a sync of it makes names durable. */
static int is_ours(const char *path) {
    size_t length = strlen(folder);
    return length && path && (strncmp(path, folder, length) == 0 || (strlen(path) == length - 1 && strncmp(path, folder, length - 1) == 0));
}

static int is_kept(int file) { return file >= 0 && file < FILES ? kept[file] : 0; }

static void say(int64_t kind, int64_t file, int64_t offset, const void *bytes, int64_t length) {
    if (trace < 0) return;
    struct head head = {kind, file, offset, length};
    char *whole = malloc(sizeof head + length);
    if (!whole) abort();
    memcpy(whole, &head, sizeof head);
    if (length) memcpy(whole + sizeof head, bytes, length);
    if (syscall(SYS_write, trace, whole, sizeof head + length) != (long)(sizeof head + length)) abort();
    free(whole);
}

static int64_t number_of(int file) {
    struct stat status;
    return fstat(file, &status) == 0 ? (int64_t)status.st_ino : 0;
}

static int64_t size_of(int file) {
    struct stat status;
    return fstat(file, &status) == 0 ? (int64_t)status.st_size : 0;
}

/* How many of `count` bytes at `offset` the disk takes; -1 with errno: none. */
static int64_t taken(int file, size_t count, int64_t offset) {
    if (!control) return count;
    if (control->mode == READ_ONLY) return errno = EROFS, -1;
    if (control->mode == UNWRITABLE) return errno = EIO, -1;
    if (control->room < 0) return count;
    int64_t growth = offset + (int64_t)count - size_of(file);
    if (growth <= 0) return count;
    if (growth > control->room) {
        int64_t fits = (int64_t)count - (growth - control->room);
        if (fits <= 0) return errno = ENOSPC, -1;
        control->room = 0;
        return fits;
    }
    control->room -= growth;
    return count;
}

static ssize_t put(int file, const void *bytes, size_t count, int64_t offset) {
    pthread_mutex_lock(&lock);
    int64_t fits = taken(file, count, offset);
    int is_last = 0;
    if (control && fits > 0) {
        control->writes += 1;
        if (control->writes_left > 0 && --control->writes_left == 0) {
            is_last = 1;
            fits = (fits + 1) / 2;
        }
    }
    ssize_t done = fits < 0 ? -1 : REAL(pwrite64)(file, bytes, fits, offset);
    if (done > 0) say(WRITE, number_of(file), offset, bytes, done);
    if (is_last) syscall(SYS_kill, getpid(), SIGKILL);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
    return is_kept(file) ? put(file, bytes, count, offset) : REAL(pwrite64)(file, bytes, count, offset);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) { return pwrite64(file, bytes, count, offset); }

ssize_t write(int file, const void *bytes, size_t count) {
    if (!is_kept(file)) return REAL(write)(file, bytes, count);
    int64_t offset = lseek(file, 0, SEEK_CUR);
    ssize_t done = put(file, bytes, count, offset);
    if (done > 0) lseek(file, offset + done, SEEK_SET);
    return done;
}

static int is_bad(int file, size_t count, int64_t offset) {
    return control && is_kept(file) && control->bad_file == number_of(file) && offset < control->bad_to
        && offset + (int64_t)count > control->bad_from;
}

ssize_t pread64(int file, void *bytes, size_t count, off64_t offset) {
    if (is_bad(file, count, offset)) return errno = EIO, -1;
    return REAL(pread64)(file, bytes, count, offset);
}

ssize_t pread(int file, void *bytes, size_t count, off_t offset) { return pread64(file, bytes, count, offset); }

ssize_t read(int file, void *bytes, size_t count) {
    if (is_kept(file) && is_bad(file, count, lseek(file, 0, SEEK_CUR))) return errno = EIO, -1;
    return REAL(read)(file, bytes, count);
}

static int is_folder(int file) {
    struct stat status;
    return fstat(file, &status) == 0 && S_ISDIR(status.st_mode);
}

static int synced(int file, int (*how)(int)) {
    if (!is_kept(file)) return how(file);
    if (control && control->mode != WHOLE) return errno = control->mode == READ_ONLY ? EROFS : EIO, -1;
    pthread_mutex_lock(&lock);
    int result = how(file);
    if (result == 0) say(SYNC, number_of(file), 0, NULL, 0);
    if (result == 0 && control && control->next_mode && is_remote_named && is_folder(file)) {
        control->mode = control->next_mode;
        control->next_mode = is_remote_named = 0;
    }
    pthread_mutex_unlock(&lock);
    return result;
}

int fsync(int file) { return synced(file, REAL(fsync)); }
int fdatasync(int file) { return synced(file, REAL(fdatasync)); }

int ftruncate64(int file, off64_t length) {
    if (!is_kept(file)) return REAL(ftruncate64)(file, length);
    pthread_mutex_lock(&lock);
    int64_t before = size_of(file);
    int result = taken(file, 0, length) < 0 ? -1 : REAL(ftruncate64)(file, length);
    if (result == 0) {
        if (control && control->room >= 0 && length < before) control->room += before - length;
        say(TRUNCATE, number_of(file), length, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

int ftruncate(int file, off_t length) { return ftruncate64(file, length); }

int posix_fallocate64(int file, off64_t offset, off64_t length) {
    if (!is_kept(file)) return REAL(posix_fallocate64)(file, offset, length);
    pthread_mutex_lock(&lock);
    int64_t fits = taken(file, length, offset);
    int result = fits < 0 ? errno : fits < length ? ENOSPC : REAL(posix_fallocate64)(file, offset, length);
    pthread_mutex_unlock(&lock);
    return result;
}

int posix_fallocate(int file, off_t offset, off_t length) { return posix_fallocate64(file, offset, length); }

static int opened(const char *path, int flags, mode_t mode) {
    int writes = (flags & O_ACCMODE) != O_RDONLY, is_new = (flags & O_CREAT) && access(path, F_OK) != 0;
    if (writes && control && control->mode == READ_ONLY) return errno = EROFS, -1;
    pthread_mutex_lock(&lock);
    int file = syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (file >= 0 && file < FILES) {
        kept[file] = 1;
        if (is_new) say(CREATE, number_of(file), 0, path, strlen(path));
        else if (writes && (flags & O_TRUNC)) say(TRUNCATE, number_of(file), 0, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return file;
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return is_ours(path) ? opened(path, flags, mode) : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open64(path, flags, mode);
}

int close(int file) {
    if (file >= 0 && file < FILES) kept[file] = 0;
    return REAL(close)(file);
}

int rename(const char *from, const char *to) {
    if (!is_ours(from)) return REAL(rename)(from, to);
    if (control && control->mode == READ_ONLY) return errno = EROFS, -1;
    pthread_mutex_lock(&lock);
    int result = REAL(rename)(from, to);
    char both[4096];
    if (result == 0) {
        int length = snprintf(both, sizeof both, "%s\n%s", from, to);
        say(RENAME, 0, 0, both, length);
        size_t last = strlen(to);
        is_remote_named |= last > 7 && strcmp(to + last - 7, "/remote") == 0;
    }
    pthread_mutex_unlock(&lock);
    return result;
}

int unlink(const char *path) {
    if (!is_ours(path)) return REAL(unlink)(path);
    if (control && control->mode == READ_ONLY) return errno = EROFS, -1;
    pthread_mutex_lock(&lock);
    struct stat status;
    int64_t size = stat(path, &status) == 0 ? status.st_size : 0;
    int result = REAL(unlink)(path);
    if (result == 0) {
        if (control && control->room >= 0) control->room += size;
        say(UNLINK, 0, 0, path, strlen(path));
    }
    pthread_mutex_unlock(&lock);
    return result;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && clock == CLOCK_REALTIME && control && control->clock_ms) {
        int64_t all = time->tv_sec * 1000000000ll + time->tv_nsec + control->clock_ms * 1000000ll;
        time->tv_sec = all / 1000000000ll;
        time->tv_nsec = all % 1000000000ll;
    }
    return result;
}

int gettimeofday(struct timeval *time, void *zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *place) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (place) *place = now.tv_sec;
    return now.tv_sec;
}
