/* Strict JSON, the field tables and the documents read with them: any bytes give a document or an error. */
#include "proto/base/json.h"
#include "proto/dataset_doc.h"
#include "proto/policy.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct err e = {0};
    json_t *doc = json_parse_strict((const char *)data, n, JSON_DEPTH, &e);
    assert(doc || e.code == ERR_BAD_REQUEST);
    struct policy p;
    struct dataset_doc *d = NULL;
    if (doc && policy_parse(doc, &p, &e) == 0) {
        json_t *again = policy_json(&p);
        struct policy q;
        assert(policy_parse(again, &q, &e) == 0); /* what we write we read */
        json_decref(again);
    }
    if (doc && dataset_doc_parse(doc, &d, &e) == 0) {
        json_t *again = dataset_doc_json(d);
        struct dataset_doc *second = NULL;
        assert(dataset_doc_parse(again, &second, &e) == 0);
        dataset_doc_free(second);
        dataset_doc_free(d);
        json_decref(again);
    }
    json_decref(doc);
    return 0;
}
