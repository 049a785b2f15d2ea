"""Candidates by what was chosen in them, windows of the scatter, and the logs: each against the list of all candidates."""
import pytest

from cluster import ApiError
from test_ranking import get, one  # noqa: F401
from test_server import PlayedWorker, start_search


@pytest.fixture(scope="module")
def chosen(one):  # noqa: F811
    """code -> option of every decision"""
    all_of_them = get(one, "choices", limit=5000)
    assert all_of_them["total"] == len(one.rows) == len(all_of_them["code"])
    assert all_of_them["accuracy"] == [r["accuracy"] for r in one.rows]
    by_code = {r["code"]: r for r in one.rows}
    for code, macs, params in zip(all_of_them["code"], all_of_them["macs"], all_of_them["params"]):
        assert (macs, params) == (by_code[code]["macs"], by_code[code]["params"])
    return dict(zip(all_of_them["code"], all_of_them["choices"]))


def test_an_even_selection_has_the_best_and_the_worst(one, chosen):  # noqa: F811
    some = get(one, "choices", limit=10)
    assert len(some["code"]) == 10 and some["total"] == len(one.rows)
    assert some["accuracy"][0] == one.rows[0]["accuracy"] and some["accuracy"][-1] == one.rows[-1]["accuracy"]
    assert some["accuracy"] == sorted(some["accuracy"], reverse=True)
    assert all(chosen[code] == choice for code, choice in zip(some["code"], some["choices"]))


def test_the_ranking_is_filtered_by_options(one, chosen):  # noqa: F811
    for text, keep in [
            ("0:1", lambda c: c[0] == 1),
            ("0:0.1;2:2", lambda c: c[0] in (0, 1) and c[2] == 2),
            ("1:-", lambda c: c[1] == -1),
            ("1:-.0.1.2", lambda c: True)]:
        want = [r["code"] for r in one.rows if keep(chosen[r["code"]])]
        assert [r["code"] for r in one.server.ranking(one.search, limit=13, choices=text)] == want, text
    for bad in ["x", "0", "0:", "99999:1", "0:1,2", "0:64", "0:1;;"]:
        with pytest.raises(ApiError) as e:
            get(one, "ranking", choices=bad)
        assert e.value.status == 422, bad


def test_neighbours_differ_in_one_decision(one, chosen):  # noqa: F811
    code = max(chosen, key=lambda c: sum(differences(chosen, c, o) == 1 for o in chosen))
    want = {o for o in chosen if differences(chosen, code, o) == 1}
    found = get(one, f"candidates/{code}/neighbours")
    assert want and {n["candidate"]["code"] for n in found["items"]} == want and found["total"] == len(want)
    accuracies = [n["candidate"]["accuracy"] for n in found["items"]]
    assert accuracies == sorted(accuracies, reverse=True)
    assert all(n["from"] != n["to"] for n in found["items"])


def differences(chosen, a, b):
    return sum(x != y for x, y in zip(chosen[a], chosen[b]))


def test_a_window_holds_what_lies_in_it(one):  # noqa: F811
    macs = sorted(r["macs"] for r in one.rows)
    w = {"x_min": macs[50], "x_max": macs[250], "y_min": .6, "y_max": .9}
    want = {r["code"] for r in one.rows if w["x_min"] <= r["macs"] <= w["x_max"] and .6 <= r["accuracy"] <= .9}
    points = get(one, "points", x="macs", limit=20000, **w)
    assert set(points["code"]) == want and points["total"] == len(want)
    few = get(one, "points", x="macs", limit=20, **w)
    assert len(few["code"]) == 20 and few["total"] == len(want) and set(few["code"]) <= want
    density = get(one, "density", x="macs", y="accuracy", bins=16, **w)
    assert sum(density["counts"]) == len(want)
    assert density["x"] == [w["x_min"], w["x_max"]] and density["y"] == [.6, .9]
    assert sum(get(one, "density", x="macs", y="accuracy", bins=16)["counts"]) == len(one.rows)


def test_the_share_of_the_best_is_of_as_many_as_asked(one, chosen):  # noqa: F811
    best = [chosen[r["code"]] for r in one.rows[:7]]
    for d, item in enumerate(get(one, "importance", top=7)["items"]):
        for o, option in enumerate(item["options"]):
            assert option["top_share"] == pytest.approx(sum(c[d] == o for c in best) / 7)


def test_generations_sum_up_an_evolution(one):  # noqa: F811
    made = start_search(one.server, *one.ids, strategy={"name": "evolution", "population": 12, "generations": 3})
    PlayedWorker(one.server).finish(made["id"])
    rows = one.server.ranking(made["id"])
    items = one.server.api("GET", f"/searches/{made['id']}/generations")["items"]
    assert [g["generation"] for g in items] == sorted({r["generation"] for r in rows}) and len(items) > 1
    for g in items:
        a = sorted(r["accuracy"] for r in rows if r["generation"] == g["generation"])
        assert (g["n"], g["worst"], g["best"]) == (len(a), a[0], a[-1])
        assert g["mean"] == pytest.approx(sum(a) / len(a))
        at = (len(a) - 1) / 4
        assert g["q1"] == pytest.approx(a[int(at)] + (at - int(at)) * (a[min(int(at) + 1, len(a) - 1)] - a[int(at)]))
        assert g["worst"] <= g["q1"] <= g["median"] <= g["q3"] <= g["best"]


def test_what_happened_can_be_read_back(one):  # noqa: F811
    log = get(one, "log", limit=1000)["items"]
    assert [e["id"] for e in log] == sorted((e["id"] for e in log), reverse=True)
    assert {e["kind"] for e in log} >= {"search", "job"} and all(e["data"]["search"] == one.search for e in log)
    done = [e for e in log if e["kind"] == "search"][0]
    assert done["data"]["state"] == "done"
    page = get(one, "log", limit=2)
    assert page["items"] == log[:2] and get(one, "log", limit=2, after=page["next"])["items"] == log[2:4]


def test_a_worker_has_a_history(one):  # noqa: F811
    workers = one.server.api("GET", "/workers")["items"]
    jobs = [j for w in workers for j in one.server.api("GET", f"/workers/{w['id']}/jobs", params={"limit": 1000})["items"]]
    mine = [j for j in jobs if j["search"] == one.search]
    assert sum(j["candidates"] for j in mine) == len(one.rows)
    assert all(j["state"] == "done" and j["kind"] == "score" and j["done"] >= j["created"] for j in mine)
    with pytest.raises(ApiError) as e:
        one.server.api("GET", "/workers/999/jobs")
    assert e.value.status == 404


def test_a_candidate_tells_how_it_was_scored(one):  # noqa: F811
    for row in [one.rows[0], one.rows[77], one.rows[-1]]:
        c = get(one, f"candidates/{row['code']}")
        assert {k: c[k] for k in row if k != "rank"} == {k: v for k, v in row.items() if k != "rank"}
        assert c["rank"] == 1 + sum(r["accuracy"] > row["accuracy"] for r in one.rows)
        assert len(c["stats_digest"]) == 32 and c["loss_sum"] == pytest.approx(row["loss"] * row["n_images"]) and c["backend"]
        assert c["error"] is None
    for code in ["nonsense", "9" * 20]:
        with pytest.raises(ApiError) as e:
            get(one, f"candidates/{code}")
        assert e.value.status == 404
