/* space_json: spaces and plans as JSON, for the HTTP interface and `subrankd space --json`. New references; NULL: no
 * memory. Numbers that may exceed 53 bits are texts. */
#ifndef PROTO_SPACE_JSON_H
#define PROTO_SPACE_JSON_H

#include "proto/cost.h"
#include "proto/space.h"

/* {"name", "input", "architectures": "6561", "decisions": [{"name", "options": [...], "path"}], "cost": {"macs":
 * {"min", "max", "exact"}, "all_macs": ..., "params": ...}, "blocks": [names], "tensors": n, "stages": [{"path",
 * "block", "in": [c,h,w], "out": [c,h,w], "macs", "params"}]}. A decision's path is the module that reads it first; the
 * stages are those of the architecture of the last options. */
json_t *space_describe_json(const struct space *s, struct err *err);

/* {"code", "macs", "all_macs", "params", "activation_bytes", "peak_bytes", "key", "class", "active": {decision:
 * option}, "ops": [{"op", "path", "out": [c,h,w], "macs", "params", "inputs": [...], "block"?}]} for one architecture.
 */
json_t *space_plan_json(const struct space *s, const int *choice, struct err *err);

#endif
