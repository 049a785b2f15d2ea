"""The coordinator alone, over HTTP: blobs, tokens, errors, leases and results, restarts. Workers are played by the test:
their scores are a function of the code, so every run must end with the same ranking."""
import concurrent.futures
import contextlib
import hashlib
import json
import os
import random
import signal
import sqlite3
import threading

import pytest
import requests

from cluster import ROOT, ApiError, wait_for

DEMO = ROOT / "deploy" / "demo"
EVOLUTION = {"name": "evolution", "population": 20, "generations": 6, "parents": 5, "mutations": 10, "crossovers": 10}


def store_demo(server):
    space = server.api("POST", "/spaces", {"name": "demo", "document": json.loads((DEMO / "space.json").read_text())})
    for file in DEMO.glob("*.gz"):
        server.upload(file)
    checkpoint = server.api("POST", "/checkpoints", {
        "name": "demo", "blob": server.upload(DEMO / "supernet.pth"), "space": space["id"]})
    dataset = server.api("POST", "/datasets", json.loads((DEMO / "dataset.json").read_text()))
    return space, checkpoint, dataset


def start_search(server, checkpoint, dataset, **more):
    return server.api("POST", "/searches", {
        "name": "s", "checkpoint": checkpoint["id"], "dataset": dataset["id"], "strategy": EVOLUTION,
        "evaluation": {"images": 200}, "seed": 5, **more})


def score(code, n):
    rng = random.Random(code)
    right = rng.randrange(n // 2, n)
    return {"code": code, "n_images": n, "n_correct": right, "n_correct_top5": n, "loss_sum": rng.random() * n,
            "stats_digest": hashlib.md5(code.encode()).hexdigest()}


class PlayedWorker:
    def __init__(self, server, name="played"):
        self.server = server
        joined = server.api("POST", "/workers", {"protocol": 1, "name": name}, token=server.token("join"))
        self.id, self.key = joined["id"], joined["key"]

    def api(self, method, path, body=None):
        return self.server.api(method, path, body, token=self.key)

    def lease(self, held=()):
        return self.api("POST", "/leases", {"protocol": 1, "held": list(held)})["leases"]

    def beat(self, *leases):
        held = [{"job": x["job"], "lease": x["lease"]} for x in leases]
        return self.api("POST", "/beats", {"protocol": 1, "held": held})

    def result(self, lease):
        n = lease["input"]["evaluation"]["images"]
        return {"kind": "score", "backend": "played", "build": "1", "wall_ms": 100,
                "scores": [score(c, n) for c in lease["input"]["candidates"]]}

    def deliver(self, lease, body=None):
        return self.api("PUT", f"/results/{lease['job']}/{lease['lease']}", body or self.result(lease))["status"]

    def finish(self, search, seconds=60):
        def step():
            for lease in self.lease():
                self.deliver(lease)
            doc = self.server.api("GET", f"/searches/{search}")
            return doc if doc["state"] != "running" else None
        return wait_for("the search to end", step, seconds, 0)


def rows(server):
    db = sqlite3.connect(server.data / "subrank.db")
    try:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        return db.execute("SELECT idx, code, generation, state, n_correct, loss_sum FROM candidate ORDER BY idx").fetchall()
    finally:
        db.close()


def test_a_blob_goes_on_after_a_cut(cluster):
    server = cluster().server
    data = os.urandom(1_000_000)
    sha = hashlib.sha256(data).hexdigest()
    half = {"Content-Range": f"bytes 0-499999/{len(data)}"}
    assert server.request("PUT", f"/blobs/{sha}", data=data[:500000], headers=half).status_code == 202
    assert server.request("HEAD", f"/blobs/{sha}").headers["Upload-Length"] == "500000"
    wrong = {"Content-Range": f"bytes 5-{len(data) - 1}/{len(data)}"}
    assert server.request("PUT", f"/blobs/{sha}", data=data[5:], headers=wrong).status_code == 416
    rest = {"Content-Range": f"bytes 500000-{len(data) - 1}/{len(data)}"}
    assert server.request("PUT", f"/blobs/{sha}", data=data[500000:], headers=rest).status_code == 201
    got = server.request("GET", f"/blobs/{sha}")
    assert got.content == data and got.headers["ETag"] == f'"{sha}"'
    part = server.request("GET", f"/blobs/{sha}", headers={"Range": "bytes=100-99999"})
    assert part.status_code == 206 and part.content == data[100:100000]


def test_what_came_before_a_broken_connection_is_kept(cluster):
    server = cluster().server
    data = os.urandom(300_000)
    sha = hashlib.sha256(data).hexdigest()
    host, port = server.url.split("//")[1].split(":")
    import socket
    with socket.create_connection((host, int(port))) as sock:
        sock.sendall((f"PUT /api/v1/blobs/{sha} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token()}\r\n"
                      f"Content-Length: {len(data)}\r\n\r\n").encode() + data[:200_000])
        wait_for("two rows", lambda: int(server.request("HEAD", f"/blobs/{sha}").headers.get("Upload-Length", 0)) >= 131072)
    wait_for("the rest of the row", lambda: server.request("HEAD", f"/blobs/{sha}").headers.get("Upload-Length") == "200000")
    assert server.upload(data) == sha
    assert server.request("GET", f"/blobs/{sha}").content == data


def test_a_wrong_hash_is_refused_and_dropped(cluster):
    server = cluster().server
    answer = server.request("PUT", "/blobs/" + "0" * 64, data=b"abc")
    assert answer.status_code == 422 and answer.json()["type"] == "corrupt"
    assert server.request("HEAD", "/blobs/" + "0" * 64).headers["Upload-Length"] == "0"


def test_tokens_decide_who_may_do_what(cluster):
    server = cluster().server
    assert (server.data / "admin.token").stat().st_mode & 0o777 == 0o600
    assert requests.get(server.url + "/api/v1/searches").status_code == 401
    token = server.api("POST", "/tokens", {"role": "read", "name": "eye"})
    assert server.api("GET", "/searches", token=token["secret"])["items"] == []
    with pytest.raises(ApiError) as refused:
        server.api("POST", "/tokens", {"role": "admin", "name": "x"}, token=token["secret"])
    assert refused.value.type == "forbidden"
    server.api("DELETE", f"/tokens/{token['id']}")
    with pytest.raises(ApiError) as ended:
        server.api("GET", "/searches", token=token["secret"])
    assert ended.value.type == "unauthorized"
    statuses = {server.request("GET", "/searches", token="bad").status_code for _ in range(40)}
    assert statuses == {401, 429}
    assert server.api("GET", "/searches")["items"] == []
    assert token["secret"] not in server.process.text()
    assert {e["action"] for e in server.api("GET", "/audit")["items"]} == {"createToken", "revokeToken"}


@pytest.mark.parametrize("body, where", [
    ({"role": "read"}, "/name"), ({"role": "king", "name": "x"}, "/role"), ({"role": "read", "name": ""}, "/name"),
    ({"role": "read", "name": "x", "extra": 1}, "/extra"), ({"role": "read", "name": 7}, "/name")])
def test_errors_say_where(cluster, body, where):
    with pytest.raises(ApiError) as refused:
        cluster().server.api("POST", "/tokens", body)
    assert refused.value.status == 422 and refused.value.where == where


def test_results_count_once(cluster):
    server = cluster().server
    space, checkpoint, dataset = store_demo(server)
    start_search(server, checkpoint, dataset)
    worker = PlayedWorker(server)
    lease = wait_for("a job", worker.lease)[0]
    assert worker.beat()["forgotten"] or worker.beat(lease)["gone"] == []
    bad = worker.result(lease)
    bad["scores"][0]["n_correct"] = 100000
    body = worker.result(lease)
    assert worker.deliver(lease, body) == "stored"
    assert worker.deliver(lease, body) == "duplicate"
    other = wait_for("another job", worker.lease)[0]
    with pytest.raises(ApiError) as refused:
        worker.deliver(other, {**bad, "scores": bad["scores"][:1]})
    assert refused.value.status == 422 and refused.value.where.startswith("/scores")
    worker.finish(1)
    assert worker.deliver(lease, body) == "duplicate"
    assert worker.api("PUT", "/results/1/" + "0" * 32, body)["status"] == "cancelled"
    done = rows(server)
    assert len(done) == 120 and len({r[1] for r in done}) == 120 and {r[3] for r in done} == {"scored"}


def test_an_expired_lease_goes_to_another_worker_and_a_late_result_still_counts(cluster):
    server = cluster("--expiry-s", "0.5", "--beat-s", "0.2", "--sweep-s", "0.1").server
    space, checkpoint, dataset = store_demo(server)
    start_search(server, checkpoint, dataset)
    silent, second = PlayedWorker(server, "silent"), PlayedWorker(server, "second")
    late = wait_for("a job", silent.lease)[0]
    server.process.wait_event("lease_expired")

    def same_job():
        return next((x for x in second.lease() if x["job"] == late["job"]), None)
    again = wait_for("the job again", same_job)
    assert again["lease"] != late["lease"]
    assert silent.deliver(late) == "stored"
    assert second.deliver(again) == "superseded"


def test_revoked_workers_are_out_at_once(cluster):
    server = cluster().server
    worker = PlayedWorker(server)
    server.api("POST", f"/workers/{worker.id}/revoke")
    with pytest.raises(ApiError) as refused:
        worker.lease()
    assert refused.value.type == "unauthorized"
    assert server.api("GET", f"/workers/{worker.id}")["state"] == "revoked"


def live_leases(server):
    """The workers that hold a lease, as the database has it."""
    with contextlib.closing(sqlite3.connect(f"file:{server.data}/subrank.db?mode=ro", uri=True)) as db:
        return [worker for worker, in db.execute("SELECT worker FROM lease WHERE state = 'live'")]


@pytest.mark.parametrize("restart", [False, True])
def test_a_revoked_workers_jobs_are_free_at_once(cluster, restart):
    server = cluster("--expiry-s", "3600").server
    _, checkpoint, dataset = store_demo(server)
    search = start_search(server, checkpoint, dataset, strategy={"name": "random", "count": 4})["id"]
    revoked, second = PlayedWorker(server, "revoked"), PlayedWorker(server, "second")
    taken = wait_for("a job", revoked.lease)
    assert live_leases(server) == [revoked.id] * len(taken)
    server.api("POST", f"/workers/{revoked.id}/revoke")
    assert live_leases(server) == []
    if restart:  # then leases are what the database says
        server.process.kill()
        server.start()
    again = wait_for("the job again", second.lease)
    assert {x["job"] for x in taken} <= {x["job"] for x in again} and live_leases(server) == [second.id] * len(again)
    for lease in again:
        second.deliver(lease)
    assert second.finish(search)["progress"]["scored"] == 4


def test_pause_and_cancel(cluster):
    server = cluster().server
    space, checkpoint, dataset = store_demo(server)
    search = start_search(server, checkpoint, dataset)["id"]
    worker = PlayedWorker(server)
    lease = wait_for("a job", worker.lease)[0]
    server.api("POST", f"/searches/{search}/pause")
    assert worker.deliver(lease) == "stored"
    assert worker.lease() == []
    server.api("POST", f"/searches/{search}/resume")
    lease = wait_for("a job", worker.lease)[0]
    server.api("POST", f"/searches/{search}/cancel")
    assert worker.beat(lease)["gone"] == [lease["lease"]]
    assert worker.deliver(lease) == "cancelled"
    server.api("DELETE", f"/searches/{search}")
    with pytest.raises(ApiError):
        server.api("GET", f"/searches/{search}")
    assert rows(server) == []


def test_kill_at_any_moment_changes_nothing(cluster):
    def run(kills):
        server = cluster().server
        space, checkpoint, dataset = store_demo(server)
        search = start_search(server, checkpoint, dataset)["id"]
        worker, rng, count = PlayedWorker(server), random.Random(kills), 0
        for _ in range(kills):
            timer = threading.Timer(rng.uniform(0.01, 0.15), server.process.child.kill)
            timer.start()
            try:
                while True:
                    for lease in worker.lease():
                        worker.deliver(lease)
            except requests.RequestException:
                count += 1
            timer.join()
            server.process.child.wait()
            server.start()
        worker.finish(search)
        assert count == kills
        assert server.process.stop(signal.SIGTERM) == 0
        return rows(server)
    undisturbed = run(0)
    assert len(undisturbed) == 120
    assert run(8) == undisturbed


def test_many_connections_and_events(cluster):
    server = cluster().server
    stream = requests.get(server.url + "/api/v1/events", stream=True, timeout=30,
                          headers={"Authorization": f"Bearer {server.token()}", "Last-Event-ID": "0"})
    lines = stream.iter_lines()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        workers = list(pool.map(lambda i: PlayedWorker(server, f"w{i}").id, range(64)))
    assert len(set(workers)) == 64
    seen = 0
    for line in lines:
        seen += line == b"event: worker"
        if seen == 64:
            break
    assert server.process.stop(signal.SIGTERM) == 0


def test_a_second_coordinator_and_a_newer_database_are_refused(cluster, tmp_path):
    one = cluster()
    import subprocess
    argv = [str(one.server.process.child.args[0]), "--data", str(one.server.data), "--listen", "127.0.0.1:0"]
    again = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    assert again.returncode == 1 and "another subrankd" in again.stderr
    one.server.process.stop()
    db = sqlite3.connect(one.server.data / "subrank.db")
    db.execute("PRAGMA user_version = 99")
    db.close()
    newer = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    assert newer.returncode == 1 and "downgrade" in newer.stderr
