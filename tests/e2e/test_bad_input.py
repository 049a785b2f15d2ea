"""Bad space documents, JSON, searches and queries: each gets the right status and stable type, an error that names the
place, and leaves nothing behind; no process dies and a good request works after it."""
import json

import pytest

from attack import BAD_FILE, CODE, data, harmless, idx, pair, refused, site


# ---- space documents

def space(site, **change):
    return site.server.api("POST", "/spaces", {"name": "bad", "document": {**site.document, **change}})


def test_unknown_names_are_named_with_a_suggestion(site):
    doc = json.loads(json.dumps(site.document).replace('"in * expand"', '"in * exapnd"'))
    error = refused(lambda: space(site, **doc), 422, "invalid", says='did you mean "expand"')
    assert error.where.startswith("/document/modules/mbconv/body/0/sum/0"), error
    doc = json.loads(json.dumps(site.document).replace('"dwconv"', '"dwcnov"'))
    refused(lambda: space(site, **doc), 422, "invalid", says="dwconv")
    refused(lambda: space(site, netwrok=[]), 422, "invalid", where="/document", says="network")


def loops(depth, to):
    body = [{"conv": {"out": 8}}]
    for i in range(depth):
        body = [{"for": f"i{i}", "to": to, "body": body}]
    return body


def modules(depth):
    """Each module uses the next one twice: 2^depth layers from a short document."""
    made = {f"m{i}": {"args": [], "body": [{f"m{i + 1}": {}}, {f"m{i + 1}": {}}]} for i in range(depth)}
    made[f"m{depth}"] = {"args": [], "body": ["relu"]}
    return made


def deep(n):
    node = "relu"
    for _ in range(n):
        node = {"seq": [node]}
    return [node]


@pytest.mark.parametrize("name, change", [
    ("exponential loops", {"network": loops(8, 100)}),
    ("a loop of 10^9", {"network": loops(1, 10 ** 9)}),
    ("a loop of 10^18", {"network": loops(1, 10 ** 18)}),
    ("a negative loop", {"network": loops(1, -1)}),
    ("modules that double", {"modules": modules(40), "network": [{"m0": {}}]}),
    ("a module that uses itself", {"modules": {"a": {"args": [], "body": [{"a": {}}]}}, "network": [{"a": {}}]}),
    ("deep sequences", {"network": deep(40)}),
    ("deep expression", {"network": [{"conv": {"out": "(" * 2000 + "8" + ")" * 2000}}]}),
    ("long expression", {"network": [{"conv": {"out": "+".join(["8"] * 50000)}}]}),
    ("expression that overflows", {"network": [{"conv": {"out": "9000000000 * 9000000000"}}]}),
    ("division by zero", {"network": [{"conv": {"out": "8 // (1 - 1)"}}]}),
    ("huge count", {"decisions": {"layer": {"count": 10 ** 12, "of": ["identity", "mb3_k3", "mb6_k5"]}}}),
    ("no options", {"decisions": {"layer": {"count": 6, "of": []}}}),
    ("huge channels", {"network": [{"conv": {"out": 1 << 40}}]}),
    ("zero channels", {"network": [{"conv": {"out": 0}}]}),
    ("negative kernel", {"network": [{"conv": {"out": 8, "kernel": -3}}]}),
    ("huge kernel", {"network": [{"conv": {"out": 8, "kernel": 1 << 30}}]}),
    ("zero stride", {"network": [{"conv": {"out": 8, "stride": 0}}]}),
    ("huge input", {"input": [1 << 30, 1 << 30, 1 << 30]}),
    ("no input", {"input": []}),
    ("empty network", {"network": []}),
    ("another version", {"space": 99}),
    ("wrong type", {"network": "relu"}),
    ("null", {"network": None})])
def test_bad_spaces(site, name, change):
    error = refused(lambda: space(site, **change), None, (*BAD_FILE, "bad-request"))
    assert error.where.startswith(("/document", "byte")) and error.status in (400, 413, 422), error


def test_a_document_of_many_nodes_is_refused_before_the_client_gives_up(site):
    refused(lambda: space(site, network=[{"name": f"n{i}", "seq": ["relu"]} for i in range(100000)]), where="/document")


# ---- JSON

@pytest.mark.parametrize("name, raw, status, types, where", [
    ("duplicate key", b'{"role":"read","role":"admin","name":"x"}', 400, "bad-request", "line 1"),
    ("unknown field", b'{"role":"read","name":"x","nmae":"y"}', 422, "invalid", "/nmae"),
    ("wrong type", b'{"role":"read","name":["x"]}', 422, "invalid", "/name"),
    ("null", b'{"role":"read","name":null}', 422, "invalid", "/name"),
    ("missing", b'{"role":"read"}', 422, "invalid", "/name"),
    ("not in the list", b'{"role":"root","name":"x"}', 422, "invalid", "/role"),
    ("too long", b'{"role":"read","name":"' + b"x" * 201 + b'"}', 422, "invalid", "/name"),
    ("empty string", b'{"role":"read","name":""}', 422, "invalid", "/name"),
    ("over-long body", b'{"role":"read","name":"' + b"x" * 70000 + b'"}', 413, "too-large", "body"),
    ("not UTF-8", b'{"role":"read","name":"\xff\xfe"}', 400, "bad-request", "line 1"),
    ("surrogate", b'{"role":"read","name":"\\ud800"}', 400, "bad-request", "line 1"),
    ("NUL", b'{"role":"read","name":"a\\u0000b"}', 400, "bad-request", "line 1"),
    ("raw NUL", b'{"role":"read","name":"a\0b"}', 400, "bad-request", "line 1"),
    ("deep", b'{"a":' + b"[" * 30000 + b"]" * 30000 + b"}", 400, "bad-request", "byte"),
    ("deep and open", b"[" * 60000, 400, "bad-request", "byte"),
    ("a bare word", b"nonsense", 400, "bad-request", "line 1"),
    ("two documents", b'{"role":"read","name":"x"}{}', 400, "bad-request", "line 1"),
    ("an array", b"[]", 422, "invalid", ""),
    ("a string", b'"x"', (400, 422), ("bad-request", "invalid"), ""),
    ("NaN", b'{"role":"read","name":NaN}', 400, "bad-request", "line 1"),
    ("huge number", b'{"role":"read","name":1e999}', 400, "bad-request", "line 1"),
    ("huge integer", b'{"role":"read","name":99999999999999999999}', 400, "bad-request", "line 1"),
    ("empty", b"", 400, "bad-request", "body"),
    ("byte order mark", b'\xef\xbb\xbf{"role":"read","name":"x"}', 400, "bad-request", "line 1"),
    ("cut", b'{"role":"read","name":"x', 400, "bad-request", "line 1")])
def test_bad_json(site, name, raw, status, types, where):
    answer = site.server.request("POST", "/tokens", data=raw, headers={"Content-Type": "application/json"})
    problem = answer.json()
    assert answer.status_code in (status if isinstance(status, tuple) else (status,)), problem
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["type"] in (types if isinstance(types, tuple) else (types,)), problem
    assert where in problem.get("where", ""), problem


@pytest.mark.parametrize("name, value", [("tags", ["x" * 101]), ("tags", ["x"] * 101), ("notes", "x" * 20001), ("priority", 0),
                                         ("priority", 101), ("priority", 1.5), ("priority", True), ("seed", -1), ("seed", 2 ** 70)])
def test_fields_of_a_search_out_of_range(site, name, value):
    refused(lambda: site.server.api("POST", "/searches", site.search_body(**{name: value})), None, ("invalid", "bad-request"))


# ---- searches

def search(site, **more):
    return site.server.api("POST", "/searches", site.search_body(**more))


POLICY = {"average": "cumulative", "batches": 1, "batch_size": 16, "split": "train"}


@pytest.mark.parametrize("name, change, where", [
    ("impossible constraint", {"constraints": {"macs": {"max": 1}}}, "/constraints"),
    ("constraint that contradicts itself", {"constraints": {"macs": {"min": 10, "max": 5}}}, "/constraints"),
    ("parameters out of reach", {"constraints": {"params": {"min": 10 ** 15}}}, "/constraints"),
    ("policy needs more images than there are", {"policy": {**POLICY, "batches": 100000}}, "/policy"),
    ("policy on an unknown split", {"policy": {**POLICY, "split": "tarin"}}, "/policy"),
    ("policy of an unknown kind", {"policy": {**POLICY, "average": "median"}}, "/policy/average"),
    ("policy with an unknown field", {"policy": {**POLICY, "bathces": 3}}, "/policy/bathces"),
    ("policy without batches", {"policy": {**POLICY, "batches": 0}}, "/policy/batches"),
    ("policy with negative momentum", {"policy": {**POLICY, "average": "ema", "momentum": -1}}, "/policy/momentum"),
    ("evaluation on an unknown split", {"evaluation": {"split": "test", "images": 10}}, "/evaluation/split"),
    ("evaluation of more images than there are", {"evaluation": {"split": "val", "images": 10 ** 6}}, "/evaluation"),
    ("evaluation past the end", {"evaluation": {"split": "val", "images": 100, "first": 10 ** 6}}, "/evaluation"),
    ("evaluation of no image", {"evaluation": {"split": "val", "images": 0}}, "/evaluation/images"),
    ("code outside the space", {"strategy": {"name": "list", "codes": ["012013"]}}, "/strategy/codes/0"),
    ("code too short", {"strategy": {"name": "list", "codes": [CODE, "01"]}}, "/strategy/codes/1"),
    ("code that is no text", {"strategy": {"name": "list", "codes": [7]}}, "/strategy/codes/0"),
    ("no codes", {"strategy": {"name": "list", "codes": []}}, "/strategy/codes"),
    ("strategy unknown", {"strategy": {"name": "oracle"}}, "/strategy/name"),
    ("strategy with an unknown field", {"strategy": {"name": "random", "count": 3, "cuont": 4}}, "/strategy/cuont"),
    ("random of none", {"strategy": {"name": "random", "count": 0}}, "/strategy/count"),
    ("random of far too many", {"strategy": {"name": "random", "count": 10 ** 12}}, "/strategy/count"),
    ("population of zero", {"strategy": {"name": "evolution", "population": 0}}, "/strategy/population"),
    ("population of 10^9", {"strategy": {"name": "evolution", "population": 10 ** 9}}, "/strategy/population"),
    ("probability of two", {"strategy": {"name": "evolution", "mutation_probability": 2}}, "/strategy/mutation_probability"),
    ("unknown checkpoint", {"checkpoint": 9999}, "/checkpoint"),
    ("unknown data set", {"dataset": 9999}, "/dataset")])
def test_bad_searches(site, name, change, where):
    error = refused(lambda: search(site, **change), 422)
    assert error.where.startswith(where), error


@pytest.mark.parametrize("images, labels, says", [
    (idx((3, 28, 28), bytes(3 * 784)), idx((3,), bytes((0, 1, 10))), "10 outputs"),
    (idx((2, 3, 28, 28), bytes(6 * 784)), idx((2,), bytes((0, 1))), "3 x 28 x 28")], ids=["a label without an output", "three channels"])
def test_data_that_do_not_fit_the_space(site, images, labels, says):
    made = data(site, pair(site, images, labels))["id"]
    try:
        body = {"dataset": made, "policy": {"average": "batch"}, "evaluation": {"split": "val", "images": 2}}
        refused(lambda: search(site, **body), 422, "invalid", where="/dataset", says=says)
    finally:
        site.server.api("DELETE", f"/datasets/{made}")


def test_plans_of_codes_outside_the_space(site):
    for code in ("", "0", "012013", "0120120", "x" * 60000, "012\n12", "%00"):
        error = refused(lambda: site.server.api("POST", f"/spaces/{site.space}/plan", {"code": code}), 422, "invalid")
        assert error.where, error


def test_truth_that_lies(site):
    made = search(site)
    try:
        path = f"/searches/{made['id']}/truth"
        put = lambda body, kind: site.server.request("PUT", path, data=body, headers={"Content-Type": kind})
        for body, kind in ((b"code,accuracy\n012012,abc\n", "text/csv"), (b"\xff\xfe\0", "text/csv"), (b"012012\n", "text/csv"),
                           (b'{"accuracies":{"012012":"high"}}', "application/json"), (b'{"accuracies":[]}', "application/json"),
                           (b"012012,nan\n", "text/csv"), (b"012012,1e999\n", "text/csv"), (b"", "text/csv"), (b"012012," + b"1" * 4089, "text/csv"), (b"a\0b,1\n", "text/csv"),
                           (b"012012,1\n012012,2\n", "text/csv")):
            answer = put(body, kind)
            assert answer.status_code in (400, 422), (body, answer.status_code, answer.text)
            assert answer.json()["detail"]
        assert site.server.api("GET", f"/searches/{made['id']}/correlation")["n"] == 0
    finally:
        site.server.api("DELETE", f"/searches/{made['id']}")


QUERIES = ["limit=0", "limit=1001", "limit=x", "limit=-1", "limit=1&limit=2", "limit=99999999999999999999", "after=%ff%00", "after=nonsense",
           "after=" + "x" * 513, "nope=1", "sort=colour", "order=up", "offset=-1", "macs_min=abc", "macs_min=nan", "macs_min=inf",
           "status=lost", "limit", "limit=", "=1", "%6cimit=0",]


@pytest.mark.parametrize("query", QUERIES)
def test_bad_queries(site, query):
    made = search(site)
    try:
        answer = site.server.request("GET", f"/searches/{made['id']}/ranking?{query}")
        assert answer.status_code in (400, 422), (answer.status_code, answer.text)
        assert answer.json()["where"], answer.text
    finally:
        site.server.api("DELETE", f"/searches/{made['id']}")


@pytest.mark.parametrize("id", ["0", "-1", "x", "1e3", "99999999999999999999", "9223372036854775807", "1%2f2", "%", "%00", "+1", "01x"])
def test_bad_ids(site, id):
    for name in ("spaces", "checkpoints", "datasets", "searches", "workers"):
        answer = site.server.request("GET", f"/{name}/{id}")
        assert answer.status_code in (400, 404, 422), (name, answer.status_code, answer.text)
        assert answer.json()["type"] in ("bad-request", "not-found", "invalid")
