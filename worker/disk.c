/* disk: see disk.h. It knows nothing of what the files mean. */
#include "worker/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int disk_open_dir(const char *path, struct err *err)
{
    char *copy = strdup(path);
    if (!copy)
        return err_set(err, ERR_NO_MEMORY, path, "no memory for a path");
    for (char *p = copy + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = 0;
        mkdir(copy, 0700); /* what matters is whether the whole path opens below */
        *p = '/';
    }
    mkdir(copy, 0700);
    free(copy);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 ? fd : err_errno(err, errno, path, "cannot open or create the directory");
}

static int write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return w < 0 ? errno : ENOSPC;
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

int disk_write(int dirfd, const char *name, const void *data, size_t n, mode_t mode, struct err *err)
{
    char temp[300];
    snprintf(temp, sizeof temp, ".tmp-%d-%s", (int)getpid(), name);
    unlinkat(dirfd, temp, 0);
    int fd = openat(dirfd, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return err_errno(err, errno, name, "cannot create a file");
    int e = write_all(fd, data, n);
    if (!e && fsync(fd))
        e = errno;
    if (close(fd) && !e)
        e = errno;
    if (!e && renameat(dirfd, temp, dirfd, name))
        e = errno;
    if (e) {
        unlinkat(dirfd, temp, 0);
        return err_errno(err, e, name, "cannot write");
    }
    if (fsync(dirfd)) /* renamed but perhaps not for good: the caller must not believe in it */
        return err_errno(err, errno, name, "cannot sync the directory");
    return 0;
}

char *disk_read(int dirfd, const char *name, size_t limit, size_t *size, struct err *err)
{
    int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        if (errno == ENOENT)
            err_set(err, ERR_NOT_FOUND, name, "no such file");
        else
            err_errno(err, errno, name, "cannot open");
        return NULL;
    }
    struct stat st;
    char *buf = NULL;
    size_t got = 0;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        err_set(err, ERR_IO, name, "not a plain file");
    } else if ((uint64_t)st.st_size > limit) {
        err_set(err, ERR_TOO_LARGE, name, "%lld bytes are more than the %zu allowed", (long long)st.st_size, limit);
    } else if (!(buf = malloc((size_t)st.st_size + 1))) {
        err_set(err, ERR_NO_MEMORY, name, "no memory for %lld bytes", (long long)st.st_size);
    } else {
        ssize_t r = 1;
        while (got < (size_t)st.st_size && (r = read(fd, buf + got, (size_t)st.st_size - got)) > 0)
            got += (size_t)r;
        buf[got] = 0;
        if (r < 0) {
            err_errno(err, errno, name, "cannot read");
            free(buf);
            buf = NULL;
        }
    }
    close(fd);
    if (buf && size)
        *size = got;
    return buf;
}
