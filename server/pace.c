/* pace: see pace.h. */
#include "server/pace.h"

#include "server/map.h"

#include <stdlib.h>

enum { CATCH_UP_MS = 100, MANY = 4096 };

struct client {
    double due_ms;
};

struct pace {
    struct map clients;
};

struct pace *pace_new(void)
{
    return calloc(1, sizeof(struct pace));
}

static void forget_all(struct pace *p)
{
    size_t at = 0;
    for (struct client *c; (c = map_next(&p->clients, &at)) != NULL;)
        free(c);
    map_clear(&p->clients);
}

void pace_free(struct pace *p)
{
    if (p)
        forget_all(p);
    free(p);
}

static struct client *find(struct pace *p, int64_t client)
{
    struct client *c = map_get(&p->clients, (uint64_t)client);
    if (c)
        return c;
    if (p->clients.count >= MANY) /* most of them left long ago; the others begin anew */
        forget_all(p);
    c = calloc(1, sizeof *c);
    if (c && map_put(&p->clients, (uint64_t)client, c) == 0)
        return c;
    free(c);
    return NULL;
}

int64_t pace_wait(struct pace *p, int64_t client, size_t n, double bytes_per_s, int64_t now_ms)
{
    struct client *c = find(p, client);
    if (!c)
        return 0;
    double now = (double)now_ms, wait = c->due_ms - now;
    if (wait < -CATCH_UP_MS)
        c->due_ms = now - CATCH_UP_MS;
    c->due_ms += 1000 * (double)n / bytes_per_s;
    return wait > 0 ? (int64_t)wait + 1 : 0;
}
