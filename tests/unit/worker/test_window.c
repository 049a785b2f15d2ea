/* window: every code is planned, in order and a limited number at a time; what waits comes again, what is refused is
 * told once. */
#include "tests/unit/test.h"
#include "worker/engine/window.h"

#include <stdlib.h>
#include <string.h>

static const char document[] =
    "{\"space\": 1, \"name\": \"line\", \"input\": [3, 8, 8], \"code\": \"digits\","
    " \"decisions\": {\"layer\": {\"count\": 9, \"of\": [\"small\", \"large\"]}}, \"network\": ["
    "  {\"for\": \"i\", \"to\": 9, \"body\": [{\"name\": \"features.{i}\", \"choose\": \"layer[i]\", \"of\": ["
    "    {\"conv\": {\"out\": 4}}, {\"conv\": {\"out\": 4, \"kernel\": 3}}]}]},"
    "  \"gap\", {\"name\": \"classifier\", \"linear\": {\"out\": 10}}]}";

struct told {
    int times, stop;
    char last[16];
};

static int refused(void *ctx, const char *code, const struct err *why)
{
    struct told *t = ctx;
    CHECK(why->code != ERR_NONE);
    snprintf(t->last, sizeof t->last, "%s", code);
    t->times++;
    return t->stop;
}

/* All 512 codes from the last to the first, one of them impossible. */
static json_t *codes(const char *bad)
{
    json_t *list = json_array();
    for (int i = 511; i >= 0; i--) {
        char text[16] = "";
        for (int k = 0; k < 9; k++)
            text[k] = i >> (8 - k) & 1 ? '1' : '0';
        json_array_append_new(list, json_string(i == 330 ? bad : text));
    }
    return list;
}

static struct window start(struct told *told, int label_max, const json_t *list)
{
    struct err err = {0};
    struct space *s = NULL;
    if (space_parse(document, strlen(document), &s, &err))
        test_fail(__FILE__, __LINE__, "%s: %s", err.where, err.text);
    struct window w = {.space = s, .input = {3, 8, 8}, .label_max = label_max, .ctx = told, .refused = refused};
    CHECK_INT(window_open(&w, list, &err), 0);
    CHECK_INT(w.of, 512);
    return w;
}

static void end(struct window *w, json_t *list)
{
    struct space *s = (struct space *)(uintptr_t)w->space;
    window_close(w);
    space_free(s);
    json_decref(list);
}

TEST(window_plans_every_code_in_order_and_tells_a_refusal_once)
{
    struct told told = {0};
    json_t *list = codes("101001019"); /* where the code it stands for would be */
    struct window w = start(&told, 9, list);
    struct err err = {0};
    char last[16] = "";
    int planned = 0, fills = 0;
    while (w.first < w.of) {
        CHECK_INT(window_fill(&w, &err), 0);
        CHECK(w.n > 0 && w.n <= WINDOW_MOST && w.end - w.first <= WINDOW_MOST);
        int waiting = w.end < w.of ? 50 : 0;
        for (int i = 0; i < w.n - waiting; i++) {
            CHECK(strcmp(window_code(&w, i), last) > 0);
            snprintf(last, sizeof last, "%s", window_code(&w, i));
            CHECK_INT(w.candidates[i].plan->nodes[w.candidates[i].plan->output].out.c, 10);
            CHECK_INT(w.candidates[i].plan->nodes[1].attr.kernel_h, last[0] == '1' ? 3 : 1);
            planned++;
        }
        window_move(&w, waiting);
        fills++;
    }
    CHECK_INT(planned, 511);
    CHECK_INT(fills, 6);
    CHECK_INT(told.times, 1);
    CHECK_STR(told.last, "101001019");
    end(&w, list);
}

TEST(window_refuses_networks_with_too_few_outputs_and_stops_when_told)
{
    struct told told = {0};
    json_t *list = codes("101001010");
    struct window w = start(&told, 10, list);
    struct err err = {0};
    CHECK_INT(window_fill(&w, &err), 0);
    CHECK_INT(w.n, 0);
    CHECK_INT(told.times, WINDOW_MOST);
    window_move(&w, 0);
    told.stop = 1;
    CHECK_INT(window_fill(&w, &err), -ERR_CANCELLED);
    CHECK_INT(told.times, WINDOW_MOST + 1);
    end(&w, list);
}

TEST(window_refuses_a_list_with_something_else_than_codes)
{
    struct err err = {0};
    struct window w = {0};
    json_t *list = json_pack("[s, i]", "000000000", 7);
    CHECK_INT(window_open(&w, list, &err), -ERR_INVALID);
    CHECK_STR(err.where, "/candidates");
    window_close(&w);
    json_decref(list);
}
