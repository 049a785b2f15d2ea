"""A day without a coordinator: what workers have finished is kept, asked about with patience, and counted once after.

The worker is the released program; libfaketime makes its clocks and waits `RATE` times as fast, so that its day
takes less than a minute. The log's timestamps are the worker's own time, and all bounds here are in it.
"""
import datetime
import glob
import json
import re
import threading

import pytest

from cluster import BUILD, Process, store_demo, wait_for
from relay import Relay

RATE = 2000
COUNT = 16
RESULT = "PUT /api/v1/results/_/_"
BUSY_S = 900
BUSY = (503, "application/problem+json", json.dumps({
    "type": "busy", "title": "Busy", "status": 503, "detail": "being repaired", "retry_s": BUSY_S}))


def fake_clock():
    """The environment that speeds a process's clocks up."""
    library = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    assert library, "libfaketime is missing: deploy/install-deps.sh --test"
    return {"LD_PRELOAD": library[0], "FAKETIME": f"+0 x{RATE}"}


class Outage:
    """The coordinator's address, where at first nobody listens; then `way` says what happens to each exchange."""

    def __init__(self, url):
        self.way, self.asked, self.over = "busy", [], threading.Event()
        self.relay = Relay(url, self.fate, listen=False)

    def fate(self, kind, headers):
        self.asked.append(kind)
        if self.way == "busy":
            return BUSY
        if self.way == "silence" and not self.over.wait(60):
            return "request"
        return None

    def close(self):
        self.over.set()
        self.relay.close()


class Log:
    """What a worker said, read by its own clock."""

    def __init__(self, process):
        self.process = process

    def times(self):
        stamps = re.findall(r"ts=(\S+)Z", self.process.text())
        return [datetime.datetime.fromisoformat(s) for s in stamps]

    def hours(self):
        """Since its first word."""
        times = self.times()
        return (times[-1] - times[0]).total_seconds() / 3600 if times else 0

    def waits(self, what):
        """The waits in milliseconds that it chose after each failure."""
        return [int(w) for w in re.findall(rf"contact_failed .*?what={what} wait_ms=(\d+)", self.process.text())]

    def leases(self, event):
        return re.findall(rf"^{event} .*?lease=(\w+)", self.process.text(), re.M)


@pytest.fixture
def c(cluster):
    return cluster("--expiry-s", "900", "--max-job", "2")


def spooled(c):
    """Every finished result on the worker's disk: its name and its bytes."""
    return {p.name: p.read_bytes() for p in (c.dir / "state-w" / "spool").glob("0*.json")}


def compute_all(c):
    """A search whose every result was finished and none of them delivered; returns its id and the leases."""
    _, checkpoint, dataset = store_demo(c.server)
    refuse = Relay(c.server.url, lambda kind, headers: BUSY if kind == RESULT else None)
    search = c.server.api("POST", "/searches", {
        "name": "day", "checkpoint": checkpoint, "dataset": dataset, "strategy": {"name": "random", "count": COUNT},
        "policy": {"average": "cumulative", "variance": "unbiased", "batches": 1, "batch_size": 64, "split": "train"},
        "evaluation": {"split": "val", "images": 100, "batch_size": 100}})["id"]
    worker = c.worker("w", SUBRANK_SERVER=refuse.url)

    def finished():
        jobs = [json.loads(text) for text in spooled(c).values()]
        return sum(len(j["scores"]) for j in jobs) == COUNT
    wait_for("every result in the spool", finished, 240)
    worker.kill()
    refuse.close()
    return search, Log(worker).leases("job_computed")


def start_fast(c, name, outage):
    """The worker again, from what it has on disk, with its clock fast."""
    env = {"SUBRANK_SERVER": outage.relay.url, "SUBRANK_STATE_DIR": str(c.dir / "state-w"),
           "SUBRANK_CACHE_DIR": str(c.dir / "cache"), "SUBRANK_THREADS": "1", "SUBRANK_MEMORY": "2G", **fake_clock()}
    c.workers[name] = Process([BUILD / "subrank-worker"], c.dir / f"{name}.log", env)
    return Log(c.workers[name])


def check_patience(log, what, most_ms):
    """Waits double from a second or less up to `most_ms`, half of each by chance, and the server's longer ones hold."""
    waits = log.waits(what)
    assert max(waits[:3]) <= 4000 and most_ms / 2 <= max(w for w in waits if w <= most_ms), waits[:20]
    assert all(most_ms / 2 <= w <= most_ms or BUSY_S * 1000 <= w <= BUSY_S * 1100 for w in waits[12:]), waits
    assert len(set(waits[12:])) > len(waits[12:]) / 2, "workers that wait alike come back alike"
    tries, seconds = len(waits), log.hours() * 3600
    assert 24 <= tries <= seconds / (most_ms / 2000) + 20, f"{tries} tries of {what} in {seconds:.0f} s"


def test_a_day_without_a_coordinator_loses_no_finished_result(c):
    search, leases = compute_all(c)
    kept = spooled(c)
    assert len(kept) == len(leases) >= COUNT // 2
    c.server.process.kill()
    outage = Outage(c.server.url)
    try:
        first = start_fast(c, "killed", outage)
        wait_for("an hour of refused connections", lambda: first.hours() >= 1)
        c.workers["killed"].kill()
        assert spooled(c) == kept
        log = start_fast(c, "day", outage)
        wait_for("twelve hours of refused connections", lambda: log.hours() >= 12)
        assert spooled(c) == kept and not outage.asked
        outage.relay.listen()
        wait_for("eleven hours of a busy coordinator", lambda: log.hours() >= 23)
        busy = outage.asked.count(RESULT)
        assert 0 < busy <= 12 * 3600 / BUSY_S, busy
        outage.way = "silence"
        wait_for("hours without an answer", lambda: log.hours() >= 25)
        assert spooled(c) == kept and c.workers["day"].running()
        check_patience(log, "result", 120_000)
        check_patience(log, "beat", 30_000)
        c.server.start()
        outage.way = "open"
        outage.over.set()
        wait_for("an empty spool", lambda: not spooled(c), 240)
        done = c.server.wait_search(search, 240)
    finally:
        outage.close()
    assert done["state"] == "done" and done["progress"]["scored"] == COUNT and not done["progress"]["failed"], done
    assert sum(w["scored"] for w in c.server.api("GET", "/workers")["items"]) == COUNT
    assert sorted(log.leases("result_delivered")) == sorted(leases), "each once, and no other"
    assert not first.leases("result_delivered") and not log.leases("job_computed"), "nothing was computed again"
