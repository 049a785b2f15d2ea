/* crashlog: a preloaded library that writes down everything a process does to the files below $CRASH_DIR, so that
 * test_power.py can build what a disk might hold after a power failure at any moment.
 *
 * It sits below SQLite's own VFS on purpose: the program under test is the released binary, nothing of it is replaced,
 * and files that SQLite does not write are seen too. Each record carries the time of its completion; the fleet's ledger
 * uses the same clock, so that "acknowledged before the cut" is exact. With CRASH_NOSYNC set, syncs are not written
 * down, as if they did nothing: the negative control. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { FDS = 65536, FILES = 4096 };

struct record { /* read by test_power.py: "<cxxxiqqq" */
    char op;
    char pad[3];
    int32_t file;
    int64_t at_ns, offset, length;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int file_of[FDS]; /* number + 1; 0: not ours */
static char *paths[FILES];
static int npaths, log_fd = -1;

static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static void note(char op, int file, int64_t offset, const void *data, int64_t length)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    struct record r = {.op = op,
                       .file = file,
                       .at_ns = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec,
                       .offset = offset,
                       .length = length};
    struct iovec parts[2] = {{&r, sizeof r}, {(void *)(uintptr_t)data, data ? (size_t)length : 0}};
    ssize_t n = writev(log_fd, parts, data ? 2 : 1);
    (void)n;
}

static int watched(const char *path)
{
    const char *dir = getenv("CRASH_DIR");
    return dir && strncmp(path, dir, strlen(dir)) == 0 && !strstr(path, "-shm");
}

static int number_of(const char *path)
{
    for (int i = npaths - 1; i >= 0; i--)
        if (paths[i] && strcmp(paths[i], path) == 0)
            return i;
    if (npaths == FILES)
        return -1;
    if (log_fd < 0)
        log_fd = ((int (*)(const char *, int, ...))real("open64"))(getenv("CRASH_LOG"),
                                                                  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    paths[npaths] = strdup(path);
    note('N', npaths, 0, path, (int64_t)strlen(path));
    return npaths++;
}

static int opened(int fd, const char *path, int flags)
{
    if (fd < 0 || fd >= FDS || !watched(path))
        return fd;
    pthread_mutex_lock(&lock);
    int n = number_of(path);
    file_of[fd] = n + 1;
    if (flags & O_TRUNC)
        note('T', n, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return fd;
}

#define OPENER(name)                                                                                                   \
    int name(const char *path, int flags, ...)                                                                         \
    {                                                                                                                  \
        va_list ap;                                                                                                    \
        va_start(ap, flags);                                                                                           \
        int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, int) : 0;                                                \
        va_end(ap);                                                                                                    \
        return opened(((int (*)(const char *, int, ...))real(#name))(path, flags, mode), path, flags);                 \
    }
OPENER(open)
OPENER(open64)

int close(int fd)
{
    if (fd >= 0 && fd < FDS)
        file_of[fd] = 0;
    return ((int (*)(int))real("close"))(fd);
}

static int mine(int fd)
{
    return fd >= 0 && fd < FDS ? file_of[fd] : 0;
}

static ssize_t wrote(int fd, const void *data, ssize_t n, int64_t offset)
{
    if (n > 0 && mine(fd))
        note('W', mine(fd) - 1, offset, data, n);
    return n;
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t offset)
{
    return wrote(fd, data, ((ssize_t(*)(int, const void *, size_t, off64_t))real("pwrite64"))(fd, data, n, offset),
                 offset);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t offset)
{
    return pwrite64(fd, data, n, offset);
}

ssize_t write(int fd, const void *data, size_t n)
{
    int64_t at = mine(fd) ? lseek(fd, 0, SEEK_CUR) : 0;
    return wrote(fd, data, ((ssize_t(*)(int, const void *, size_t))real("write"))(fd, data, n), at);
}

/* glibc's own dprintf would write past us. */
int dprintf(int fd, const char *fmt, ...)
{
    char text[4096];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return n < 0 || n >= (int)sizeof text ? -1 : (int)write(fd, text, (size_t)n);
}

static int synced(int fd, int rc)
{
    if (rc == 0 && mine(fd) && !getenv("CRASH_NOSYNC"))
        note('S', mine(fd) - 1, 0, NULL, 0);
    return rc;
}

int fsync(int fd)
{
    return synced(fd, mine(fd) ? 0 : ((int (*)(int))real("fsync"))(fd));
}

int fdatasync(int fd)
{
    return synced(fd, mine(fd) ? 0 : ((int (*)(int))real("fdatasync"))(fd));
}

int ftruncate64(int fd, off64_t length)
{
    int rc = ((int (*)(int, off64_t))real("ftruncate64"))(fd, length);
    if (rc == 0 && mine(fd))
        note('T', mine(fd) - 1, 0, NULL, length);
    return rc;
}

int ftruncate(int fd, off_t length)
{
    return ftruncate64(fd, length);
}

int unlink(const char *path)
{
    int rc = ((int (*)(const char *))real("unlink"))(path);
    if (rc == 0 && watched(path)) {
        pthread_mutex_lock(&lock);
        int n = number_of(path);
        note('U', n, 0, NULL, 0);
        free(paths[n]);
        paths[n] = NULL; /* the next file of this name is another one */
        pthread_mutex_unlock(&lock);
    }
    return rc;
}
