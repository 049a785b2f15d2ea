#include "server/lease_run.h"
#include "server/db.h"
#include "server/server.h"
int64_t lease_run_search_of(struct server *s, int64_t job)
{
    int64_t search = 0;
    return db_int(s->db, NULL, &search, SQL_JOB_GET, "i", job) > 0 ? search : 0;
}
int lease_run_load(struct server *s, struct err *err)
{
    (void)s;
    (void)err;
    return 0;
}
int lease_run_sweep(struct server *s, struct err *err)
{
    (void)s;
    (void)err;
    return 0;
}
