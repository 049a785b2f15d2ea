"""Exports: every candidate once, whole and well formed, whatever is in the fields and whatever goes on meanwhile; in
little memory for any number of rows."""
import csv
import io
import json
import sqlite3

import pytest
import requests

from test_server import PlayedWorker, score, start_search, store_demo

NASTY = 'it said "no", twice,\r\nand a \\ backslash\t\x01 \u00fc\u20ac'


def export(server, search, form):
    answer = server.request("GET", f"/searches/{search}/export.{form}")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == f'attachment; filename="search-{search}.{form}"'
    return answer.content.decode()


def rows_of(server, search):
    return sorted(server.ranking(search), key=lambda r: r["index"])


def read_csv(text):
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def check(server, search, rows):
    """Both exports against the ranking's rows."""
    doc = json.loads(export(server, search, "json"))
    table = read_csv(export(server, search, "csv"))
    assert [c["index"] for c in doc["candidates"]] == [r["index"] for r in rows]
    assert [int(c["index"]) for c in table] == [r["index"] for r in rows]
    for r, j, c in zip(rows, doc["candidates"], table):
        for name in ("code", "class", "status", "n_images", "n_correct", "n_correct_top5", "macs", "params",
                     "generation", "worker", "scored_at", "accuracy", "loss", "truth", "replicas", "agreed"):
            want = r.get(name)
            assert j[name] == want, name
            if want is None or isinstance(want, str):
                assert c[name] == (want or ""), name
            else:
                assert float(c[name]) == want, name
        assert ([j["ci_lo"], j["ci_hi"]] == pytest.approx(r["ci"], rel=1e-5)) if r["ci"] else j["ci_lo"] is None
        assert set(j) == set(c)
    return doc, table


def test_all_rows_with_nasty_fields(cluster):
    server = cluster().server
    _, checkpoint, dataset = store_demo(server)
    search = start_search(server, checkpoint, dataset, name=NASTY, strategy={"name": "random", "count": 40})["id"]
    worker = PlayedWorker(server)
    while server.api("GET", f"/searches/{search}")["state"] == "running":
        for lease in worker.lease():
            result = worker.result(lease)
            result["build"] = 'a,"b"'
            result["scores"][0] = {"code": result["scores"][0]["code"],
                                   "error": {"type": "invalid", "where": "/x,y", "detail": NASTY}}
            result["scores"][1]["loss_sum"] = None  # not finite
            worker.deliver(lease, result)
    rows = rows_of(server, search)
    server.api("PUT", f"/searches/{search}/truth", {"accuracies": {rows[3]["code"]: 0.1 + 0.2, rows[4]["code"]: 1}})
    rows = rows_of(server, search)
    doc, table = check(server, search, rows)
    assert doc["search"]["name"] == NASTY
    failed = [(j, c) for j, c in zip(doc["candidates"], table) if j["status"] == "failed"]
    assert failed
    for j, c in failed:
        assert j["error"]["detail"] == NASTY and json.loads(c["error"]) == j["error"]
        assert j["accuracy"] is None and c["accuracy"] == ""
    assert {c["build"] for c in table} == {'a,"b"'}
    digests = {c["code"]: c["stats_digest"] for c in table if c["status"] == "scored"}
    assert all(d == score(code, 200)["stats_digest"] for code, d in digests.items())
    empty = start_search(server, checkpoint, dataset, constraints={"macs": {"min": 473793, "max": 473800}})["id"]
    server.wait_search(empty)
    check(server, empty, [])
    assert server.request("GET", "/searches/99/export.csv").status_code == 404


def test_while_the_search_runs(cluster):
    server = cluster().server
    _, checkpoint, dataset = store_demo(server)
    search = start_search(server, checkpoint, dataset, strategy={"name": "random", "count": 400})["id"]
    worker, seen = PlayedWorker(server), 0
    while server.api("GET", f"/searches/{search}")["state"] == "running":
        lease = worker.lease()
        table = read_csv(export(server, search, "csv"))
        doc = json.loads(export(server, search, "json"))
        assert [int(c["index"]) for c in table] == list(range(len(table)))
        assert len(doc["candidates"]) >= len(table)
        assert sum(c["status"] == "scored" for c in table) == seen
        for one in lease:
            worker.deliver(one)
            seen += len(one["input"]["candidates"])
    assert seen == 400
    check(server, search, rows_of(server, search))


def resident(process, name):
    status = open(f"/proc/{process.child.pid}/status").read()
    return int(status.split(name + ":")[1].split()[0]) * 1024


def multiply(server, search, n):
    """Makes n candidates of a finished search, behind a stopped coordinator's back."""
    db = sqlite3.connect(server.data / "subrank.db")
    with db:
        db.execute("""WITH RECURSIVE k(i) AS (SELECT 40 UNION ALL SELECT i + 1 FROM k WHERE i + 1 < ?2)
            INSERT INTO candidate SELECT search, i, code || ':' || i, printf('%032x', i), class, macs + i, params,
                generation, state, job, n_images, n_correct, n_correct_top5, loss_sum + i / 7.0, stats_digest, worker,
                scored_at + i, error, repeats, agreed
            FROM k JOIN candidate c ON c.search = ?1 AND c.idx = i % 40""", (search, n))
    db.close()


def test_many_rows_in_little_memory(cluster):
    server = cluster().server
    _, checkpoint, dataset = store_demo(server)
    search = start_search(server, checkpoint, dataset, strategy={"name": "random", "count": 40})["id"]
    PlayedWorker(server).finish(search)
    server.process.stop()
    n = 100_000
    multiply(server, search, n)
    server.start()
    assert server.api("GET", f"/searches/{search}/ranking", params={"limit": 1})["total"] == n
    before = resident(server.process, "VmHWM")
    for form in ("csv", "json"):
        lines, size = 0, 0
        with server.request("GET", f"/searches/{search}/export.{form}", stream=True) as answer:
            for piece in answer.iter_content(1 << 20):
                lines += piece.count(b"\n")
                size += len(piece)
        assert lines == (n + 1 if form == "csv" else n + 3), form
        assert size > 200 * n
    assert resident(server.process, "VmHWM") - before < 16 << 20


def test_a_reader_that_goes_away_or_a_search_that_is_deleted_ends_the_export(cluster):
    server = cluster().server
    _, checkpoint, dataset = store_demo(server)
    search = start_search(server, checkpoint, dataset, strategy={"name": "random", "count": 40})["id"]
    PlayedWorker(server).finish(search)
    server.process.stop()
    multiply(server, search, 60_000)
    server.start()
    with server.request("GET", f"/searches/{search}/export.csv", stream=True) as answer:
        next(answer.iter_content(1000))
    stream = server.request("GET", f"/searches/{search}/export.json", stream=True)
    pieces = stream.iter_content(1000)
    next(pieces)
    server.api("DELETE", f"/searches/{search}")
    try:
        rest = b"".join(pieces)
        cut = len(rest) < 60_000 * 200
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError):
        cut = True
    assert cut, "an export of a deleted search must not look whole"
    assert server.api("GET", "/searches")["items"] == []
