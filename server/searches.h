/* searches: the searches as they are now. A search that runs has its space, strategy and scores in memory; one that
 * ended has its scores read when somebody looks. The database is the truth: memory is a fold over its rows in proposal
 * order, so a restart is a replay. */
#ifndef SERVER_SEARCHES_H
#define SERVER_SEARCHES_H

#include "proto/base/err.h"
#include "proto/plan.h"
#include "server/scores.h"
#include "server/search.h"

#include <jansson.h>
#include <stdint.h>

struct request;
struct searches;
struct server;
struct space;

enum search_state { SEARCH_RUNNING, SEARCH_PAUSED, SEARCH_DONE, SEARCH_CANCELLED, SEARCH_FAILED, SEARCH_STATES };

struct search_summary {                     /* of a search that ended, as stored with it */
    int64_t proposed, scored, failed, best; /* best: a row, or -1 */
};

struct search_run {
    struct search_run *next; /* all, newest first */
    int64_t id, space_id, checkpoint_id, dataset_id, seed, priority, created, finished;
    enum search_state state;
    char *name, *notes, *owner;
    json_t *strategy, *constraints, *policy, *evaluation, *tags, *error;
    int64_t images;     /* evaluation.images */
    char *input;        /* members of a job document, but for kind and candidates; NULL until needed */
    struct shape shape; /* of an image, after the data set's transform */
    int64_t labels;     /* in the split that is scored */
    struct space *space;
    struct search_space genes;
    struct strategy *asker;      /* NULL once it ended */
    struct scores *scores;       /* of one that ended: NULL until somebody looks */
    struct search_load *loading; /* rows that another thread reads, or NULL */
    struct search_sort *sorting; /* an order that another thread makes, or NULL */
    int64_t looked_ms;           /* when somebody looked last, or it ended */
    struct search_summary summary;
    uint32_t *loose; /* at start only: rows in no job, before they are queued */
    size_t nloose;
    uint32_t queued; /* rows before this one went to the scheduler */
    int64_t told_ms; /* when the last score event went out */
    int told_late;   /* a score has come since */
    int64_t jobs_ms; /* the second in which job events are counted, and how many there were */
    int jobs_told;
};

int searches_load(struct server *s, struct searches **out, struct err *err);
void searches_free(struct searches *x);
struct search_run *searches_find(struct searches *x, int64_t id); /* NULL when absent */
struct search_run *searches_first(struct searches *x);

/* After the open jobs are known to the scheduler: queues what is in no job and starts asking. */
int searches_start(struct server *s, struct err *err);

/* Inserts the row and starts; the documents were checked. */
int searches_create(struct server *s, const json_t *body, const char *owner, struct search_run **out, struct err *err);
int searches_set_state(struct server *s, struct search_run *r, enum search_state state, const json_t *error,
                       struct err *err);
int searches_delete(struct server *s, struct search_run *r, struct err *err);

/* A stored result reaches the strategy and the scores. loss_sum: INFINITY when it was not finite. */
int searches_tell(struct server *s, struct search_run *r, uint32_t row, const struct scores_result *result,
                  struct err *err);
/* What happened to a job, for who listens. A second's log holds a few of them: thousands help nobody. */
int searches_tell_job(struct server *s, struct search_run *r, int64_t job, const char *state, int64_t worker,
                      struct err *err);
/* After results: asks for more, or ends the search. */
void searches_wake(struct server *s);
/* Score events that were held back. */
int searches_sweep(struct server *s, struct err *err);

const char *searches_state_name(enum search_state state);
/* The search that the path's id names. */
int searches_named(struct server *s, struct request *rq, struct search_run **out, struct err *err);
/* The same with its rows in memory. 1: they are being read on another thread, and rq's handler will run again when they
 * are there; it must return what it got. */
int searches_open(struct server *s, struct request *rq, struct search_run **out, struct scores **scores,
                  struct err *err);
struct search_summary searches_summary(const struct search_run *r);             /* as of now, ended or not */
json_t *searches_json(struct server *s, struct search_run *r, struct err *err); /* NULL on error */
/* The same with every code decoded and every score added up, a piece at a time; see scores_fold. */
int searches_open_folded(struct server *s, struct request *rq, struct search_run **out, struct scores **scores,
                         struct err *err);
/* The candidate that the path's code names, too. */
int searches_open_candidate(struct server *s, struct request *rq, struct search_run **out, struct scores_row *row,
                            struct err *err);
json_t *searches_candidate(const struct search_run *r, const struct scores_row *row, int64_t rank); /* rank 0: none */
int searches_input(struct server *s, struct search_run *r, struct err *err);                        /* fills r->input */

#endif
