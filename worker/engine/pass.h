/* pass: the two walks over a prepared group's graph: calibration gathers the statistics of its BatchNorms, scoring
 * counts what its candidates get right. Decides what a mini-batch's record holds and how records are added up. */
#ifndef ENGINE_PASS_H
#define ENGINE_PASS_H

#include "worker/engine/group.h"

int pass_calibrate(struct group *g, struct err *err); /* fills g->norm; norm_finish is the caller's */
int pass_score(struct group *g, struct err *err);     /* fills g->tallies and g->kept */

#endif
