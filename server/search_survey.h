/* search_survey: how many architectures of a space satisfy limits on their cost. A small space is counted whole; of a
 * large one a uniform sample is drawn, so the answer is a share with an interval. What the limits do one by one, and
 * the costs that were met, tell a person which limit to loosen. */
#ifndef SERVER_SEARCH_SURVEY_H
#define SERVER_SEARCH_SURVEY_H

#include "proto/space.h"
#include "server/search.h"

enum { SURVEY_COUNTED = 100000, SURVEY_DRAWS = 20000, SURVEY_MS = 500 };
enum survey_limit { SURVEY_MACS_MIN, SURVEY_MACS_MAX, SURVEY_PARAMS_MIN, SURVEY_PARAMS_MAX, SURVEY_LIMITS };

struct search_survey {
    uint64_t looked_at, feasible;
    uint64_t outside[SURVEY_LIMITS]; /* how many of those looked at each limit refuses */
    int64_t macs[2], params[2];      /* the smallest and the largest that was met */
    int exact;                       /* every architecture was looked at */
};

/* image: the shape of the pictures that the costs are for. A space of at most SURVEY_COUNTED architectures is counted
 * when SURVEY_MS suffice; else SURVEY_DRAWS are drawn, or as many as the same time again allows, at least one. The
 * draws are the same whenever it is asked. */
int search_survey(const struct space *space, struct shape image, const struct search_limits *limits,
                  struct search_survey *out, struct err *err);

/* total * feasible / looked_at, rounded, as decimal digits that the caller frees; total: decimal digits. NULL without
 * memory. looked_at > 0. */
char *search_survey_estimate(const char *total, const struct search_survey *found);

#endif
