"""What a search's candidates look like from outside: pages in any order, fronts, classes, what matters, and how well the
scores agree with known accuracies. A played worker gives scores that are a function of the code, so that every figure
can be worked out here again."""
import collections
import concurrent.futures
import contextlib
import itertools
import json
import math
import random
import select
import socket
import sqlite3

import numpy
import pytest

from cluster import ROOT, ApiError
from test_server import PlayedWorker, score, start_search, store_demo

CODES = 300


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """A coordinator with one finished search of CODES random architectures."""
    from cluster import Cluster
    c = Cluster(tmp_path_factory.mktemp("ranking")).start()
    try:
        _, checkpoint, dataset = store_demo(c.server)
        c.ids = checkpoint, dataset
        c.search = start_search(c.server, checkpoint, dataset, strategy={"name": "random", "count": CODES})["id"]
        assert PlayedWorker(c.server).finish(c.search)["state"] == "done"
        c.rows = c.server.ranking(c.search)
        yield c
    finally:
        c.close()


def get(one, path, **params):
    return one.server.api("GET", f"/searches/{one.search}/{path}", params=params)


def test_every_architecture_once_best_first(one):
    assert len(one.rows) == CODES == len({r["code"] for r in one.rows})
    assert [r["rank"] for r in one.rows] == list(range(1, CODES + 1))
    for row in one.rows:
        want = score(row["code"], 200)
        assert (row["n_images"], row["n_correct"]) == (200, want["n_correct"])
        assert row["accuracy"] == want["n_correct"] / 200
        assert row["loss"] == want["loss_sum"] / 200
        lo, hi = row["ci"]
        assert lo < row["accuracy"] < hi
    assert [r["accuracy"] for r in one.rows] == sorted((r["accuracy"] for r in one.rows), reverse=True)


@pytest.mark.parametrize("column", ["accuracy", "accuracy5", "loss", "macs", "params", "code", "class", "generation",
                                    "scored_at", "index", "worker", "replicas"])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_of_any_column_hold_every_row_once_in_order(one, column, order):
    rows = one.server.ranking(one.search, sort=column, order=order, limit=37)
    assert sorted(r["index"] for r in rows) == list(range(CODES))
    if column != "class":  # classes are numbered as they come
        values = [r[column] for r in rows]
        assert values == sorted(values, reverse=order == "desc")


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_rows_are_sorted_by_the_width_of_their_interval(one, order):
    rows = one.server.ranking(one.search, sort="ci", order=order, limit=37)
    assert sorted(r["index"] for r in rows) == list(range(CODES))
    widths = [round(r["ci"][1] - r["ci"][0], 12) for r in rows]
    assert widths == sorted(widths, reverse=order == "desc") and len(set(widths)) > 50
    ties = [(a["index"], b["index"]) for a, b, u, v in zip(rows, rows[1:], widths, widths[1:]) if u == v]
    assert ties and all(a < b for a, b in ties)  # 40 and 160 of 200 are as wide as each other


def test_filters_keep_what_they_say(one):
    macs = sorted(r["macs"] for r in one.rows)[CODES // 2]
    params = sorted(r["params"] for r in one.rows)[CODES // 3]
    prefix = one.rows[0]["code"][:2]
    a_class, worker = one.rows[5]["class"], one.rows[0]["worker"]
    for query, keep in [
            ({"macs_max": macs}, lambda r: r["macs"] <= macs),
            ({"macs_min": macs}, lambda r: r["macs"] >= macs),
            ({"macs_max": macs, "params_max": params}, lambda r: r["macs"] <= macs and r["params"] <= params),
            ({"accuracy_min": .7, "accuracy_max": .8}, lambda r: .7 <= r["accuracy"] <= .8),
            ({"loss_max": .5}, lambda r: r["loss"] <= .5),
            ({"q": prefix}, lambda r: r["code"].startswith(prefix)),
            ({"class": a_class}, lambda r: r["class"] == a_class),
            ({"class": "0" * 32}, lambda r: False),
            ({"status": "failed"}, lambda r: False),
            ({"worker": worker}, lambda r: True), ({"worker": worker + 1}, lambda r: False),
            ({"accuracy5_min": 1}, lambda r: True), ({"accuracy5_max": .99}, lambda r: False),
            ({"generation_max": 0}, lambda r: True), ({"generation_min": 1}, lambda r: False)]:
        want = [r["code"] for r in one.rows if keep(r)]
        got = one.server.ranking(one.search, limit=13, **query)
        assert [r["code"] for r in got] == want, query
        assert get(one, "ranking", limit=1, **query)["total"] == len(want), query


def test_a_wrong_cursor_column_or_search_is_refused(one):
    for path, params in [("ranking", {"after": "nonsense"}), ("ranking", {"sort": "speed"}), ("classes", {"after": "x"}),
                         ("density", {"x": "code"})]:
        with pytest.raises(ApiError) as e:
            get(one, path, **params)
        assert e.value.status == 422, (path, params)
    with pytest.raises(ApiError) as e:
        one.server.api("GET", "/searches/999/ranking")
    assert e.value.status == 404


@pytest.mark.parametrize("cost", ["macs", "params"])
def test_the_front_is_what_nothing_beats(one, cost):
    front = get(one, "pareto", cost=cost)["items"]

    def beaten(r):
        return any(o["accuracy"] >= r["accuracy"] and o[cost] <= r[cost] and
                   (o["accuracy"] > r["accuracy"] or o[cost] < r[cost]) for o in one.rows)
    want = {(r["accuracy"], r[cost]) for r in one.rows if not beaten(r)}
    assert {(r["accuracy"], r[cost]) for r in front} == want


def test_density_points_and_history_agree_with_the_rows(one):
    d = get(one, "density", x="macs", y="accuracy", bins=16)
    assert d["bins"] == [16, 16] and sum(d["counts"]) == CODES
    assert d["x"] == [min(r["macs"] for r in one.rows), max(r["macs"] for r in one.rows)]
    p = get(one, "points", x="macs")
    by_code = {r["code"]: r for r in one.rows}
    assert sorted(p["code"]) == sorted(by_code) and p["total"] == CODES
    assert all(by_code[c]["macs"] == x and by_code[c]["accuracy"] == y for c, x, y in zip(p["code"], p["x"], p["y"]))
    few = get(one, "points", x="macs", limit=40)
    front = {r["code"] for r in get(one, "pareto", cost="macs")["items"]}
    assert len(few["code"]) <= max(40, len(front)) and front <= set(few["code"])
    best, want = -1, []
    for r in sorted(one.rows, key=lambda r: r["index"]):
        if r["accuracy"] > best:
            best = r["accuracy"]
            want.append((r["code"], best))
    assert [(h["code"], h["accuracy"]) for h in get(one, "history")["items"]] == want


def test_classes_group_isomorphic_codes(one):
    groups = collections.defaultdict(list)
    for r in one.rows:
        groups[r["class"]].append(r)
    items, after = [], None
    while True:
        page = get(one, "classes", limit=50, **({"after": after} if after else {}))
        assert page == get(one, "classes", limit=50, offset=len(items)) and page["total"] == len(groups)
        items += page["items"]
        after = page["next"]
        if not after:
            break
    assert {c["class"]: sorted(c["codes"]) for c in items} == {
        k: sorted(r["code"] for r in v) for k, v in groups.items()}
    few = get(one, "classes", limit=1000, codes=1)
    assert [c["codes"] for c in few["items"]] == [c["codes"][:1] for c in items]
    assert few["several"] == sum(c["n"] > 1 for c in items)
    assert few["widest"] == pytest.approx(max(c["max"] - c["min"] for c in items))
    for c in items:
        values = [r["accuracy"] for r in groups[c["class"]]]
        assert c["n"] == len(values) and c["min"] == min(values) and c["max"] == max(values)
        assert c["mean"] == pytest.approx(sum(values) / len(values))


def test_importance_is_the_share_of_variance_between_options(one):
    space = one.server.api("GET", f"/searches/{one.search}")["space"]
    decisions = one.server.api("GET", f"/spaces/{space}")["decisions"]
    items = get(one, "importance")["items"]
    assert [i["decision"] for i in items] == [d["name"] for d in decisions]
    for at, item in enumerate(items):
        groups = collections.defaultdict(list)
        for r in one.rows:
            active = one.server.api("POST", f"/spaces/{space}/plan", {"code": r["code"]})["active"] if at == 0 else None
            r.setdefault("active", active)
            if item["decision"] in r["active"]:
                groups[str(r["active"][item["decision"]])].append(r["accuracy"])
        everything = [x for g in groups.values() for x in g]
        mean = sum(everything) / len(everything)
        total = sum((x - mean) ** 2 for x in everything)
        between = sum(len(g) * (sum(g) / len(g) - mean) ** 2 for g in groups.values())
        assert item["importance"] == pytest.approx(between / total, abs=1e-9)
        assert {str(o["option"]): o["n"] for o in item["options"] if o["n"]} == {k: len(g) for k, g in groups.items()}


def ranks(x):
    """Average ranks, the smallest first."""
    return [sum(b < a for b in x) + (sum(b == a for b in x) + 1) / 2 for a in x]


def tau_b(x, y):
    n, same, ties_x, ties_y = len(x), 0, 0, 0
    for i in range(n):
        for j in range(i):
            a, b = (x[i] > x[j]) - (x[i] < x[j]), (y[i] > y[j]) - (y[i] < y[j])
            same += a * b
            ties_x += a == 0
            ties_y += b == 0
    pairs = n * (n - 1) / 2
    return same / math.sqrt((pairs - ties_x) * (pairs - ties_y))


def test_truth_and_correlation_beside_the_baselines(one):
    rng = random.Random(7)
    truth = {r["code"]: .5 * r["accuracy"] + .3 * rng.random() + 1e-9 * r["macs"] for r in one.rows[::2]}
    for kwargs in ({"json": {"accuracies": {**truth, "unheard-of": .5}}},
                   {"data": "code,accuracy\n" + "".join(f"{c},{x!r}\n" for c, x in truth.items()) + "unheard-of,.5\n",
                    "headers": {"Content-Type": "text/csv"}}):
        answer = one.server.request("PUT", f"/searches/{one.search}/truth", **kwargs)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"matched": len(truth), "unknown": 1}
        doc = get(one, "correlation")
        assert doc["n"] == len(truth)
        known = [r for r in one.rows if r["code"] in truth]
        for name, column in [("score", "accuracy"), ("macs", "macs"), ("params", "params")]:
            tau = doc[name]["tau_b"]
            want = tau_b([r[column] for r in known], [truth[r["code"]] for r in known])
            assert tau["value"] == pytest.approx(want, abs=1e-12), name
            assert tau["lo"] < tau["value"] < tau["hi"]
        best = sorted(known, key=lambda r: -truth[r["code"]])[:len(known) // 10]
        best_truth = [truth[r["code"]] for r in best]
        for name, column in [("score", "accuracy"), ("macs", "macs"), ("params", "params")]:
            top, values = doc["top_decile"][name], [r[column] for r in best]
            assert top["n"] == len(best) and top["best"] == max(best_truth)
            assert top["tau_b"]["value"] == pytest.approx(tau_b(values, best_truth), abs=1e-12), name
            assert top["pearson"]["value"] == pytest.approx(numpy.corrcoef(values, best_truth)[0, 1], abs=1e-9), name
            assert top["spearman"]["value"] == pytest.approx(numpy.corrcoef(ranks(values), ranks(best_truth))[0, 1], abs=1e-9), name
    shown = {r["code"]: r.get("truth") for r in one.server.ranking(one.search)}
    assert all(shown[c] == x for c, x in truth.items())
    assert sum(x is not None for x in shown.values()) == len(truth)


def test_a_bad_truth_leaves_the_old_one(one):
    good = {"accuracies": {one.rows[0]["code"]: .9}}
    assert one.server.api("PUT", f"/searches/{one.search}/truth", good)["matched"] == 1
    for kwargs in ({"json": {"accuracies": {one.rows[1]["code"]: .8, one.rows[2]["code"]: "high"}}},
                   {"data": f"{one.rows[1]['code']},.8\nno comma here\n", "headers": {"Content-Type": "text/csv"}}):
        assert one.server.request("PUT", f"/searches/{one.search}/truth", **kwargs).status_code == 422
        shown = [r["code"] for r in one.server.ranking(one.search) if r.get("truth") is not None]
        assert shown == [one.rows[0]["code"]]


def test_a_new_truth_replaces_the_old_one(one):
    codes = [r["code"] for r in one.rows[:6]]
    for given in (codes, codes[1:4] + ["unheard-of"], codes[2:3], [], codes[4:]):
        answer = one.server.api("PUT", f"/searches/{one.search}/truth", {"accuracies": {c: .5 for c in given}})
        matched = [c for c in given if c in codes]
        assert answer == {"matched": len(matched), "unknown": len(given) - len(matched)}
        shown = [r["code"] for r in one.server.ranking(one.search) if r.get("truth") is not None]
        assert sorted(shown) == sorted(matched)
        with contextlib.closing(sqlite3.connect(f"file:{one.server.data}/subrank.db?mode=ro", uri=True)) as db:
            stored = [c for c, in db.execute("SELECT code FROM truth WHERE search = ?", (one.search,))]
        assert sorted(stored) == sorted(given)


@pytest.mark.parametrize("kind", ["text/csv", "application/json"])
def test_others_are_served_while_a_long_truth_is_stored(one, kind):
    """Counted, not timed: requests that begin and end between two slices of it."""
    codes = [f"unheard-of-{i:06}" for i in range(100_000)] + [one.rows[0]["code"]]
    body = ("".join(f"{c},.5\n" for c in codes) if kind == "text/csv"
            else json.dumps({"accuracies": dict.fromkeys(codes, .5)})).encode()
    path, host = f"/api/v1/searches/{one.search}/truth", one.server.url.split("//")[1]
    head = (f"PUT {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {one.server.token()}\r\n"
            f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n").encode()
    seen, refused = {}, set()
    db = sqlite3.connect(f"file:{one.server.data}/subrank.db?mode=ro", uri=True)
    with contextlib.closing(db), socket.create_connection(host.split(":"), timeout=120) as s:
        s.sendall(head + body[:-1])
        one.server.api("GET", "/version")
        s.sendall(body[-1:])
        while not select.select([s], [], [], 0)[0]:
            one.server.api("GET", "/version")
            stored, = db.execute("SELECT count(*) FROM truth WHERE code LIKE 'unheard-of-%'").fetchone()
            if len(seen) == 3:
                refused.add(one.server.call("PUT", f"/searches/{one.search}/truth", {"accuracies": {}})[0])
            seen[stored] = seen.get(stored, 0) + 1
        answer = b"".join(iter(lambda: s.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ") and json.loads(answer.split(b"\r\n\r\n", 1)[1])["matched"] == 1, answer
    assert sum(0 < n < 100_000 for n in seen) >= 5 and refused == {503}, (seen, refused)
    one.server.api("PUT", f"/searches/{one.search}/truth", {"accuracies": {}})


def test_accuracies_known_before_an_architecture_is_proposed(one):
    checkpoint, dataset = one.ids
    search = start_search(one.server, checkpoint, dataset, strategy={
        "name": "evolution", "population": 10, "generations": 3, "parents": 4, "mutations": 5, "crossovers": 5})["id"]
    known = {"".join(c): i for i, c in enumerate(itertools.product("012", repeat=6))}
    given = one.server.api("PUT", f"/searches/{search}/truth", {"accuracies": known})
    assert given["matched"] + given["unknown"] == len(known) and given["unknown"] > 0
    assert PlayedWorker(one.server).finish(search)["state"] == "done"
    rows = one.server.ranking(search)
    assert len(rows) == 30
    assert one.server.api("GET", f"/searches/{search}/correlation")["n"] == 30


def test_a_search_that_ended_is_read_when_somebody_looks(cluster):
    server = cluster().server
    _, checkpoint, dataset = store_demo(server)
    search = start_search(server, checkpoint, dataset, strategy={"name": "random", "count": 60})["id"]
    assert PlayedWorker(server).finish(search)["state"] == "done"
    best = server.api("GET", f"/searches/{search}")["best"]["code"]
    server.api("PUT", f"/searches/{search}/truth", {"accuracies": {best: .25}})  # shows in the search's own document
    rows, before = server.ranking(search), server.api("GET", f"/searches/{search}")
    assert before["best"]["code"] == best and before["best"]["truth"] == .25
    server.process.stop()
    db = sqlite3.connect(server.data / "subrank.db")
    stored = db.execute("SELECT proposed, scored, failed, best FROM search").fetchall()
    step = (ROOT / "deploy/migrate/0006_search_summary.sql").read_text()
    db.executescript(step[step.index("UPDATE"):])  # what an older database gets
    assert db.execute("SELECT proposed, scored, failed, best FROM search").fetchall() == stored
    db.close()
    server.start()

    def reads():
        return sum(line.startswith("search_read ") for line in server.process.text().splitlines())

    assert server.api("GET", "/searches")["items"] == [before] == [server.api("GET", f"/searches/{search}")]
    assert len(server.request("GET", f"/searches/{search}/export.csv").text.splitlines()) == 61
    assert reads() == 0  # none of these needs its rows
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(lambda _: server.ranking(search), range(8)))
    assert all(page == rows for page in pages)
    assert reads() == 1
    server.api("DELETE", f"/searches/{search}")
    with pytest.raises(ApiError) as gone:
        server.ranking(search)
    assert gone.value.status == 404
