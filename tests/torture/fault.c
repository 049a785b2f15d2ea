/* fault: a preloaded library that makes the n-th allocation, write or sync of a program fail, once or from then on.
 *
 * One counter for everything that the process allocates: SQLite, jansson, libuv, libmicrohttpd, GMP and our own code
 * all end in malloc.
 * The test arms and reads it through a shared file, $FAULT_FILE. Disk faults hit only what SQLite writes
 * with pwrite and the syncs. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

enum kind { NOTHING, ALLOCATION, WRITE_EIO, WRITE_FULL, WRITE_SHORT, SYNC_EIO };

struct control { /* read and written by test_faults.py: six 64-bit numbers */
    _Atomic uint64_t kind, at, sticky, count, hits, pid;
};

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);

static struct control *control;

__attribute__((constructor)) static void open_control(void)
{
    const char *path = getenv("FAULT_FILE");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *p = fd >= 0 ? mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (fd >= 0)
        close(fd);
    if (p == MAP_FAILED)
        return;
    control = p;
    control->pid = (uint64_t)getpid();
}

static int fails(enum kind kind)
{
    if (!control || control->kind != (uint64_t)kind)
        return 0;
    uint64_t n = atomic_fetch_add(&control->count, 1) + 1;
    if (n != control->at && !(control->sticky && n > control->at))
        return 0;
    atomic_fetch_add(&control->hits, 1);
    return 1;
}

void *malloc(size_t n)
{
    if (!fails(ALLOCATION))
        return __libc_malloc(n);
    errno = ENOMEM;
    return NULL;
}

void *calloc(size_t n, size_t size)
{
    if (!fails(ALLOCATION))
        return __libc_calloc(n, size);
    errno = ENOMEM;
    return NULL;
}

void *realloc(void *p, size_t n)
{
    if (!n || !fails(ALLOCATION))
        return __libc_realloc(p, n);
    errno = ENOMEM;
    return NULL;
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t offset)
{
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real)
        real = (ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
    if (fails(WRITE_EIO)) {
        errno = EIO;
        return -1;
    }
    if (fails(WRITE_FULL)) {
        errno = ENOSPC;
        return -1;
    }
    if (n > 1 && fails(WRITE_SHORT))
        n /= 2;
    return real(fd, data, n, offset);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t offset)
{
    return pwrite64(fd, data, n, offset);
}

static int sync_or_fail(const char *name, int fd)
{
    if (fails(SYNC_EIO)) {
        errno = EIO;
        return -1;
    }
    return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
}

int fsync(int fd)
{
    return sync_or_fail("fsync", fd);
}

int fdatasync(int fd)
{
    return sync_or_fail("fdatasync", fd);
}
