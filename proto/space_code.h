/* space_code: the canonical text of an architecture, in the encoding that the document names. */
#ifndef PROTO_SPACE_CODE_H
#define PROTO_SPACE_CODE_H

#include "proto/space_parser.h"

/* The document's "code" member (NULL: the default): called once, by the parser. */
int space_code_read(struct space_parser *p, const json_t *v);

#endif
