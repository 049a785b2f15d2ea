/* compute: the worker's compute process, `subrank-worker --compute`: jobs in as lines of JSON on stdin, scores out as
 * lines on stdout, logs on stderr. It serves jobs one after another and keeps the checkpoint, the packed weights and
 * the decoded images between them. To cancel a job the parent kills the process: nothing here needs cleaning up.
 * Decides nothing about what a job means (engine/score.h). */
#ifndef WORKER_COMPUTE_H
#define WORKER_COMPUTE_H

#include <stdio.h>

/* in:  {"job": {job document}, "files": {sha: path}, "threads": n, "memory_bytes": n, "profile"?: true}
 * out: {"progress": {"done", "of"}}, {"score": {...}}, and last {"done": {"backend", "build", "threads", "wall_ms",
 *      "load_ms", "calibration_ms", "score_ms", "calibration_images"}} or {"error": {"type", "where", "detail"}}.
 * With "profile" a job ends with a table on stderr (profile.h). Ends at the end of input; the answer is the process's
 * exit status. */
int compute_main(void);
int compute_serve(FILE *in, FILE *out); /* the loop on streams */

const char *compute_backend(void); /* "cpu-avx2": what this machine scores with */

#endif
