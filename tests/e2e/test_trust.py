"""Second opinions: a worker whose scores are off by one percent is found out, its scores are taken back and scored again,
and the ranking ends as if it had never been there."""
import random

import pytest

from cluster import ApiError, wait_for
from test_server import PlayedWorker, score, start_search, store_demo


class BadWorker(PlayedWorker):
    """Off by one percent in every score."""

    def result(self, lease):
        body = super().result(lease)
        for s in body["scores"]:
            s["n_correct"] = min(s["n_images"], s["n_correct"] + s["n_images"] // 100)
            s["stats_digest"] = "0" * 32
        return body


def run(server, search, workers, rng, seconds=120):
    def step():
        worker = rng.choice(workers)
        for lease in worker.lease():
            worker.deliver(lease)
        if server.api("GET", f"/searches/{search}")["state"] == "running":
            return False
        for w in workers:  # opinions may still be open after the last score
            for lease in w.lease():
                w.deliver(lease)
        return server.api("GET", f"/searches/{search}")["state"] == "done"
    wait_for("the search to end", step, seconds, 0)
    return [(r["rank"], r["code"], r["n_correct"], r["loss"]) for r in server.ranking(search)]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_bad_worker_leaves_no_trace(cluster, seed):
    server = cluster("--check-results", "adaptive", "--first-job", "2", "--max-job", "8").server
    _, checkpoint, dataset = store_demo(server)
    search = start_search(server, checkpoint, dataset, strategy={"name": "random", "count": 150})["id"]
    good = [PlayedWorker(server, f"good{i}") for i in range(3)]
    bad = BadWorker(server, "bad")
    ranking = run(server, search, good + [bad], random.Random(seed))
    assert len(ranking) == len({r[1] for r in ranking}) == 150
    for _, code, n_correct, loss in ranking:
        want = score(code, 200)
        assert (n_correct, loss) == (want["n_correct"], want["loss_sum"] / 200), code
    fleet = {w["name"]: w for w in server.api("GET", "/workers")["items"]}
    assert fleet["bad"]["state"] == "quarantined" and fleet["bad"]["trust"]["bad"] <= 3
    assert fleet["bad"]["trust"]["quarantined"]
    jobs = [j for w in good for j in server.api("GET", f"/workers/{w.id}/jobs", params={"limit": 1000})["items"]]
    assert sum(j["candidates"] for j in jobs) > 150 and all(j["candidates"] > 0 for j in jobs)  # second opinions too
    for w in good:
        one = server.api("GET", f"/workers/{w.id}")
        assert one["state"] != "quarantined" and one["trust"]["bad"] == 0 and one["trust"]["good"] > 0
    assert bad.lease() == []
    server.process.kill()
    server.start()
    assert bad.lease() == [] and server.api("GET", f"/workers/{bad.id}")["state"] == "quarantined"
    assert run(server, search, good, random.Random(seed)) == ranking
    assert server.api("POST", f"/workers/{bad.id}/release")["trust"]["bad"] == 0
    assert server.api("GET", f"/workers/{bad.id}")["state"] != "quarantined"


def test_results_of_a_quarantined_worker_do_not_count(cluster):
    server = cluster("--check-results", "adaptive", "--first-job", "2", "--max-job", "4").server
    _, checkpoint, dataset = store_demo(server)
    search = start_search(server, checkpoint, dataset, strategy={"name": "random", "count": 60})["id"]
    good = [PlayedWorker(server, f"good{i}") for i in range(2)]
    bad = BadWorker(server, "bad")
    kept = wait_for("a lease", bad.lease, 10)[0]
    def step():
        for w in (bad, *good):
            for lease in w.lease(held=[kept["lease"]] if w is bad else ()):
                w.deliver(lease)
        return server.api("GET", f"/workers/{bad.id}")["state"] == "quarantined"
    wait_for("quarantine", step, 60, 0)
    assert bad.beat(kept)["gone"] == [kept["lease"]]
    assert bad.deliver(kept) == "cancelled"
    ranking = run(server, search, good, random.Random(3))
    assert [r[2] for r in ranking] == [score(r[1], 200)["n_correct"] for r in ranking] and len(ranking) == 60


def test_an_administrator_puts_a_worker_in_quarantine_and_lets_it_out(cluster):
    server = cluster("--first-job", "2", "--max-job", "8").server  # second opinions are off
    _, checkpoint, dataset = store_demo(server)
    finished, running, cancelled = [start_search(server, checkpoint, dataset, strategy={"name": "random", "count": n})["id"]
                                    for n in (6, 100, 100)]
    good, odd = PlayedWorker(server, "good"), BadWorker(server, "odd")

    def odd_works():  # all of one search and some of the others
        for lease in odd.lease():
            odd.deliver(lease)
        return len(scored(finished)) == 6 and scored(running) and scored(cancelled)

    def scored(search):
        return [r for r in server.ranking(search) if r["status"] == "scored"]
    wait_for("what it scores", odd_works, 60, 0)
    server.api("POST", f"/searches/{cancelled}/cancel")
    kept = scored(cancelled)
    assert server.api("GET", f"/searches/{finished}")["state"] == "done"
    held = wait_for("a lease", odd.lease, 60)[0]
    lesser = [server.api("POST", "/tokens", {"role": role, "name": role})["secret"] for role in ("submit", "read")]
    for token in (*lesser, odd.key):
        with pytest.raises(ApiError) as refused:
            server.api("POST", f"/workers/{odd.id}/quarantine", token=token)
        assert refused.value.status == 403
    path = f"/workers/{odd.id}/quarantine"
    for _ in range(2):  # the second changes nothing
        now = server.api("POST", path)
        assert now["state"] == "quarantined" and now["trust"]["quarantined"] and now["trust"]["by_hand"] and now["leases"] == 0
    assert server.api("GET", f"/workers/{odd.id}")["trust"] == now["trust"]
    audit = server.api("GET", "/audit")["items"]
    assert [(e["action"], e["who"]) for e in audit[:2]] == 2 * [("quarantineWorker", "first start")]
    # No new leases, the held one is gone, nothing that it says counts; even after a restart.
    for restart in (False, True):
        if restart:
            server.process.kill()
            server.start()
        assert odd.lease() == [] and odd.beat(held)["gone"] == [held["lease"]] and odd.deliver(held) == "cancelled"
        assert scored(finished) == [] and scored(running) == []
    assert scored(cancelled) == kept and server.api("GET", f"/searches/{cancelled}")["state"] == "cancelled"
    assert server.api("GET", f"/searches/{finished}")["state"] == "running"
    for search, n in ((finished, 6), (running, 100)):  # others score it again
        ranking = run(server, search, [good], random.Random(1))
        assert [r[2] for r in ranking] == [score(r[1], 200)["n_correct"] for r in ranking] and len(ranking) == n
    let_out = server.api("POST", f"/workers/{odd.id}/release")
    assert let_out["state"] != "quarantined" and not let_out["trust"]["by_hand"]
    start_search(server, checkpoint, dataset, strategy={"name": "random", "count": 3}, seed=8)
    assert wait_for("a lease after the release", odd.lease, 60)
    server.api("POST", f"/workers/{odd.id}/revoke")
    with pytest.raises(ApiError) as refused:
        server.api("POST", path)
    assert refused.value.status == 409
    with pytest.raises(ApiError) as refused:
        server.api("POST", "/workers/99/quarantine")
    assert refused.value.status == 404


def test_nothing_is_repeated_when_off_or_alone(cluster):
    for options, n in (((), 2), (("--check-results", "adaptive"), 1)):
        server = cluster(*options).server
        _, checkpoint, dataset = store_demo(server)
        search = start_search(server, checkpoint, dataset, strategy={"name": "random", "count": 30})["id"]
        workers = [PlayedWorker(server, f"w{i}") for i in range(n)]
        run(server, search, workers, random.Random(1))
        assert "errand_queued" not in server.process.text()


def marks(server, search):
    return sorted((r["status"], r["replicas"], r["agreed"]) for r in server.ranking(search))


def test_a_score_says_how_many_repeated_it_and_how_many_agreed(cluster):
    server = cluster("--check-results", "adaptive").server
    _, checkpoint, dataset = store_demo(server)
    a, b = PlayedWorker(server, "a"), PlayedWorker(server, "b")
    bad = BadWorker(server, "bad")

    def take(worker):
        lease, = wait_for(f"a job for {worker}", worker.lease, 60)
        return lease

    def search_of_one(**more):
        made = start_search(server, checkpoint, dataset, strategy={"name": "random", "count": 1}, **more)["id"]
        wait_for("it to be queued", lambda: marks(server, made), 60)
        return made

    search = search_of_one()
    assert marks(server, search) == [("queued", None, None)]
    a.deliver(take(a))
    assert marks(server, search) == [("scored", 1, 1)]
    bad.deliver(take(bad))
    assert marks(server, search) == [("scored", 2, 1)]
    b.deliver(take(b))
    assert marks(server, search) == [("scored", 3, 2)]
    server.process.kill()
    server.start()
    assert marks(server, search) == [("scored", 3, 2)]
    best = server.api("GET", f"/searches/{search}")["best"]
    assert (best["replicas"], best["agreed"]) == (3, 2)

    search = search_of_one(seed=2)
    bad.deliver(take(bad))
    a.deliver(take(a))
    assert marks(server, search) == [("scored", 2, 1)]
    b.deliver(take(b))  # outvoted: its scores are taken back, and what was said of them with them
    assert marks(server, search) == [("queued", None, None)]
    a.deliver(take(a))
    b.deliver(take(b))
    assert marks(server, search) == [("scored", 2, 2)]
