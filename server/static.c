/* static: maps a path to a file below webui/dist; anything that looks like a page is the single page of the dashboard.
 */
#include "server/static.h"

#include "server/request_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LARGEST = 16 << 20 };

static const struct {
    const char *end, *type;
} types[] = {{".html", "text/html; charset=utf-8"},
             {".js", "text/javascript; charset=utf-8"},
             {".css", "text/css; charset=utf-8"},
             {".svg", "image/svg+xml"},
             {".png", "image/png"},
             {".ico", "image/x-icon"},
             {".json", "application/json"},
             {".woff2", "font/woff2"},
             {".txt", "text/plain; charset=utf-8"},
             {".wasm", "application/wasm"},
             {".map", "application/json"},
             {".webmanifest", "application/manifest+json"}};

static const char absent[] =
    "<!doctype html><html lang=en><meta charset=utf-8><title>subrank</title><h1>subrank is running</h1>"
    "<p>The dashboard was not built. Run <code>make webui</code> and start again with "
    "<code>--webui webui/dist</code>. The API is at <a href=/openapi.json>/openapi.json</a>.</html>";

static const char *type_of(const char *path)
{
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        size_t k = strlen(types[i].end);
        if (n > k && strcmp(path + n - k, types[i].end) == 0)
            return types[i].type;
    }
    return "application/octet-stream";
}

static int is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The setting, or beside the program: in the build tree (build/release/..), or installed (bin/../share/subrank). */
static int root_of(const struct config *c, char *out, size_t size)
{
    if (*c->webui) {
        snprintf(out, size, "%s", c->webui);
        return is_dir(out);
    }
    char exe[2048];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0)
        return 0;
    exe[n] = 0;
    *strrchr(exe, '/') = 0;
    snprintf(out, size, "%s/../share/subrank/webui", exe);
    if (is_dir(out))
        return 1;
    snprintf(out, size, "%s/../../webui/dist", exe);
    return is_dir(out);
}

/* Letters, digits and -_./ only, and no dot after a slash: nothing leaves the folder. */
static int is_plain(const char *path)
{
    return path[0] == '/' &&
           !path[strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./")] &&
           !strstr(path, "/.") && !strstr(path, "..") && !strstr(path, "//");
}

static char *load(const char *path, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    char *data = NULL;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= LARGEST &&
        (data = malloc((size_t)st.st_size + 1))) {
        size_t got = 0;
        ssize_t n;
        while (got < (size_t)st.st_size && (n = read(fd, data + got, (size_t)st.st_size - got)) > 0)
            got += (size_t)n;
        *len = got;
    }
    if (fd >= 0)
        close(fd);
    return data;
}

static char *load_file(struct request *rq, const char *root, const char *path, size_t *len)
{
    char name[4096];
    const char *accept = request_header(rq, "Accept-Encoding");
    if (accept && strstr(accept, "gzip")) {
        snprintf(name, sizeof name, "%s%s.gz", root, path);
        char *data = load(name, len);
        if (data) {
            request_set_header(rq, "Content-Encoding", "gzip");
            return data;
        }
    }
    snprintf(name, sizeof name, "%s%s", root, path);
    return load(name, len);
}

int static_serve(struct request *rq, const char *method, const char *path)
{
    char root[2200];
    size_t len = 0;
    if ((strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) || strncmp(path, "/api/", 5) == 0 ||
        !is_plain(path))
        return 0;
    const char *last = strrchr(path, '/');
    int page = !strchr(last, '.');
    if (!root_of(rq->server->config, root, sizeof root)) {
        char *copy = page ? strdup(absent) : NULL;
        return copy ? !request_bytes(rq, 200, "text/html; charset=utf-8", copy, strlen(copy)) : 0;
    }
    const char *file = page ? "/index.html" : path;
    char *data = load_file(rq, root, file, &len);
    if (!data)
        return 0;
    request_set_header(rq, "Vary", "Accept-Encoding");
    request_set_header(rq, "Cache-Control",
                       strncmp(file, "/assets/", 8) == 0 ? "public, max-age=31536000, immutable" : "no-cache");
    request_bytes(rq, 200, type_of(file), data, len);
    return 1;
}
