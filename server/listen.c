/* listen: see listen.h. */
#include "server/listen.h"

#include "server/config.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int listen_open(const struct config *c, char *url, size_t size, int *out, struct err *err)
{
    const char *where = c->listen;
    char host[200];
    const char *colon = strrchr(where, ':');
    if (!colon || (size_t)(colon - where) >= sizeof host)
        return err_set(err, ERR_INVALID, "--listen", "must be HOST:PORT");
    snprintf(host, sizeof host, "%.*s", (int)(colon - where), where);
    char *bare = host[0] == '[' ? host + 1 : host;
    bare[strcspn(bare, "]")] = 0;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *list = NULL;
    int rc = getaddrinfo(*bare ? bare : NULL, colon + 1, &hints, &list);
    if (rc != 0)
        return err_set(err, ERR_INVALID, "--listen", "%s: %s", where, gai_strerror(rc));
    int fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, list->ai_addr, list->ai_addrlen) != 0 || listen(fd, 4096) != 0) {
        rc = err_errno(err, errno, "--listen", "cannot listen on %s", where);
        if (fd >= 0)
            close(fd);
        freeaddrinfo(list);
        return rc;
    }
    freeaddrinfo(list);
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    char port[16] = "0";
    getsockname(fd, (struct sockaddr *)&at, &len);
    getnameinfo((struct sockaddr *)&at, len, NULL, 0, port, sizeof port, NI_NUMERICSERV);
    snprintf(url, size, "%s://%s%s%s:%s", *c->tls_cert ? "https" : "http", host[0] == '[' ? "[" : "",
             *bare ? bare : "0.0.0.0", host[0] == '[' ? "]" : "", port);
    *out = fd;
    return 0;
}
