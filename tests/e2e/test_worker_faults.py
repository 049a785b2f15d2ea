"""What a worker survives while a search runs: kill -9 at any moment, an outage of the coordinator, damaged blobs, a
dying or hanging compute process, a full disk. Each time the search must finish with every architecture scored exactly
once and the same ranking as an undisturbed run, with the demo's supernet and images."""
import os
import pathlib
import random
import resource
import signal
import time

import pytest

from cluster import BUILD, Process, store_demo, wait_for

QUICK = ("--beat-s", "0.5", "--expiry-s", "2", "--sweep-s", "0.2", "--job-s", "2")


def codes(n):
    rng = random.Random(7)
    found = []
    while len(found) < n:
        code = "".join(rng.choice("012") for _ in range(6))
        if code not in found:
            found.append(code)
    return found


def submit(server, ids, n=16, name="faults"):
    space, checkpoint, dataset = ids
    return server.api("POST", "/searches", {
        "name": name, "checkpoint": checkpoint, "dataset": dataset, "strategy": {"name": "list", "codes": codes(n)},
        "policy": {"average": "cumulative", "variance": "unbiased", "batches": 4, "batch_size": 256, "split": "train"},
        "evaluation": {"split": "val", "images": 1000, "batch_size": 250, "first": 0}})["id"]


def rows(server, search):
    """What must not depend on who computed it, or how often it was interrupted."""
    return sorted((r["code"], r["n_images"], r["n_correct"], r["n_correct_top5"], r["loss"])
                  for r in server.ranking(search))


def children(pid):
    """Processes whose parent is pid."""
    found = []
    for p in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(p.read_text().rsplit(")", 1)[1].split()[1]) == pid:
                found.append(int(p.parent.name))
        except (OSError, IndexError):
            pass
    return found


@pytest.fixture
def c(cluster):
    return cluster(*QUICK)


def finish(c, search, n=16):
    done = c.server.wait_search(search, 240)
    assert done["state"] == "done" and done["progress"]["scored"] == n, done
    return rows(c.server, search)


def test_kill_9_of_the_worker_at_random_moments(c):
    ids = store_demo(c.server)
    c.worker("w0")
    quiet = finish(c, submit(c.server, ids, name="quiet"))
    c.workers["w0"].stop()
    search = submit(c.server, ids, name="killed")
    rng = random.Random(3)
    for i in range(6):
        w = c.worker("w1")
        w.wait_event("started", count=i + 1)
        try:
            wait_for("the end", lambda: c.server.api("GET", f"/searches/{search}")["state"] == "done",
                     rng.uniform(0.05, 2.0))
        except AssertionError:
            pass
        w.kill()
    c.worker("w1")
    assert finish(c, search) == quiet


def evolve(server, ids, name):
    _, checkpoint, dataset = ids
    return server.api("POST", "/searches", {
        "name": name, "checkpoint": checkpoint, "dataset": dataset, "seed": 5,
        "strategy": {"name": "evolution", "population": 8, "generations": 3, "parents": 4, "mutations": 4,
                     "crossovers": 4},
        "policy": {"average": "cumulative", "variance": "unbiased", "batches": 2, "batch_size": 64, "split": "train"},
        "evaluation": {"split": "val", "images": 200, "batch_size": 100}})["id"]


def test_kill_9_of_anyone_at_any_moment_changes_no_ranking(cluster):
    """A search that steers by its scores: the coordinator, an agent or its compute process is
    killed up to ten times, and the ranking is the same to the bit, each architecture scored once."""
    c = cluster(*QUICK)
    ids = store_demo(c.server)
    c.worker("w0"), c.worker("w1")
    quiet_search = evolve(c.server, ids, "quiet")
    c.server.wait_search(quiet_search)
    quiet = rows(c.server, quiet_search)
    search = evolve(c.server, ids, "killed")
    rng = random.Random(11)
    kills = 0
    while kills < 10 and c.server.api("GET", f"/searches/{search}")["state"] == "running":
        kills += 1
        time.sleep(rng.uniform(0, .7))
        name = rng.choice(sorted(c.workers))
        victim = rng.choice(("coordinator", "agent", "compute"))
        if victim == "coordinator":
            c.server.process.kill()
            c.server.start()
        elif victim == "agent":
            c.workers[name].kill()
            c.worker(name)
        else:
            for child in children(c.workers[name].child.pid):
                os.kill(child, signal.SIGKILL)
    done = c.server.wait_search(search)
    found = rows(c.server, search)
    assert done["state"] == "done" and done["progress"]["failed"] == 0, done
    assert kills > 2  # or nothing was tried
    assert found == quiet and len({row[0] for row in found}) == len(found) == done["progress"]["scored"]


def test_outage_of_the_coordinator_loses_no_finished_result(c):
    ids = store_demo(c.server)
    w = c.worker("w1")
    finish(c, submit(c.server, ids, n=1, name="first"), 1)  # its files are in the cache now
    search = submit(c.server, ids, n=8)
    w.wait_event("job_leased", count=2)
    c.server.process.kill()
    w.wait_event("job_computed", 120, count=2)
    spool = c.dir / "state-w1" / "spool"
    wait_for("a spooled result", lambda: list(spool.glob("*.json")))
    w.kill()  # and the worker too, while nobody listens
    c.server.start()
    again = c.worker("w1")
    again.wait_event("result_delivered")
    finish(c, search, 8)
    wait_for("an empty spool", lambda: not list(spool.glob("*.json")))
    assert c.server.api("GET", f"/searches/{search}")["progress"]["failed"] == 0


def test_a_damaged_blob_in_the_cache_is_fetched_again(c):
    ids = store_demo(c.server)
    w = c.worker("w1")
    quiet = finish(c, submit(c.server, ids, n=4, name="first"), 4)
    w.stop()
    for blob in (c.dir / "cache").iterdir():
        with open(blob, "r+b") as f:
            f.seek(blob.stat().st_size // 2)
            byte = f.read(1)
            f.seek(-1, os.SEEK_CUR)
            f.write(bytes([byte[0] ^ 1]))
    w = c.worker("w1")
    assert finish(c, submit(c.server, ids, n=4, name="second"), 4) == quiet
    assert "cache_damaged" in w.text()


def test_a_dying_compute_process_is_started_again(c):
    ids = store_demo(c.server)
    w = c.worker("w1")
    search = submit(c.server, ids, n=8)
    child = wait_for("the compute process", lambda: children(w.child.pid), 60)
    os.kill(child[0], signal.SIGKILL)
    w.wait_event("compute_ended")
    finish(c, search, 8)


def test_a_hanging_compute_process_is_killed(c):
    ids = store_demo(c.server)
    w = c.worker("w1", SUBRANK_HANG_SECONDS="5")
    search = submit(c.server, ids, n=8)
    child = wait_for("the compute process", lambda: children(w.child.pid), 60)
    os.kill(child[0], signal.SIGSTOP)
    w.wait_event("compute_hangs", 60)
    finish(c, search, 8)


def test_sigterm_returns_the_jobs(c):
    ids = store_demo(c.server)
    w = c.worker("w1")
    search = submit(c.server, ids)
    w.wait_event("job_leased")
    assert w.stop() == 0
    assert "lease_returned" in w.text()
    c.worker("w2")
    finish(c, search)


def test_no_compute_process_outlives_its_agent(c):
    ids = store_demo(c.server)
    w = c.worker("w1")
    submit(c.server, ids)
    child = wait_for("the compute process", lambda: children(w.child.pid), 60)[0]
    w.kill()
    wait_for("its end", lambda: not pathlib.Path(f"/proc/{child}").exists() or
             pathlib.Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z")


def test_a_full_disk_costs_no_result_and_no_process(c):
    """RLIMIT_FSIZE makes every write beyond 256 KiB fail, as a full disk does; the blobs are larger."""
    ids = store_demo(c.server)
    search = submit(c.server, ids, n=8)
    settings = {"SUBRANK_SERVER": c.server.url, "SUBRANK_STATE_DIR": str(c.dir / "state-full"), "SUBRANK_NAME": "full",
                "SUBRANK_JOIN_TOKEN_FILE": str(c.server.data / "join.token")}
    w = Process([BUILD / "subrank-worker"], c.dir / "full.log", settings,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 18, 1 << 18)))
    c.workers["full"] = w
    wait_for("a complaint", lambda: any(e in w.text() for e in ("cache_failed", "job_failed", "fetch_failed")))
    assert w.running()
    c.worker("w1")
    assert w.stop() == 0
    finish(c, search, 8)
