"""What a worker makes of answers that are not its coordinator's, or not what it hoped for. A relay gives them."""
import re
import threading
import time

import pytest

from cluster import store_demo
from relay import Relay

QUICK = ("--beat-s", "0.5", "--expiry-s", "30", "--sweep-s", "0.2", "--job-s", "1", "--first-job", "4")
RESULT, LEASE, BLOB = "PUT /api/v1/results/_/_", "POST /api/v1/leases", "GET /api/v1/blobs/_"
COUNT = 8


class Between:
    """A worker behind a relay. `answers` maps a kind of request to what it gets next, first come first; the last stays
    if it is in `stays`. What was asked is kept, in order, with the time."""

    def __init__(self, cluster):
        self.cluster, self.answers, self.stays = cluster, {}, set()
        self.asked, self.lock = [], threading.Lock()
        self.server = cluster.server
        self.ids = store_demo(self.server)
        self.relay = Relay(self.server.url, self.fate)

    def fate(self, kind, headers):
        with self.lock:
            self.asked.append((kind, time.monotonic(), headers))
            left = self.answers.get(kind, [])
            return left[0] if len(left) == 1 and kind in self.stays else left.pop(0) if left else None

    def times(self, kind):
        with self.lock:
            return [t for k, t, _ in self.asked if k == kind]

    def worker(self, name="w"):
        return self.cluster.worker(name, SUBRANK_SERVER=self.relay.url)

    def submit(self):
        return self.server.api("POST", "/searches", {
            "name": "answers", "checkpoint": self.ids[1], "dataset": self.ids[2],
            "strategy": {"name": "random", "count": COUNT},
            "policy": {"average": "cumulative", "variance": "unbiased", "batches": 1, "batch_size": 64, "split": "train"},
            "evaluation": {"split": "val", "images": 100, "batch_size": 100}})["id"]

    def check(self, search):
        """Every architecture was scored, once: no finished result was lost."""
        done = self.server.wait_search(search, 240)
        assert done["state"] == "done" and done["progress"]["scored"] == COUNT, done
        assert sum(w["scored"] for w in self.server.api("GET", "/workers")["items"]) == COUNT


@pytest.fixture
def between(cluster):
    one = Between(cluster(*QUICK))
    yield one
    one.relay.close()


LOGIN_PAGE = "text/html", "<html>Please log in to the network</html>"


@pytest.mark.parametrize("kind", [RESULT, LEASE])
def test_a_portals_answers_are_not_the_coordinators(between, kind):
    between.answers[kind] = [(status, *LOGIN_PAGE) for status in (200, 404, 401, 302)]
    search = between.submit()
    worker = between.worker()
    between.check(search)
    assert worker.running() and not between.answers[kind]
    leases = re.findall(r"job_computed .*?lease=(\w+)", worker.text())
    assert len(leases) == len(set(leases)), "a result was lost and computed again"


def test_a_result_waits_as_long_as_the_server_asks(between):
    busy = (503, "application/problem+json", '{"type": "busy", "title": "Busy", "status": 503, "detail": "x", "retry_s": 4}')
    between.answers[RESULT] = [busy]
    search = between.submit()
    between.worker()
    between.check(search)
    first, second = between.times(RESULT)[:2]
    assert second - first >= 4


def test_a_refused_version_is_said_and_not_asked_again(between):
    old = '{"type": "version", "title": "Too old", "status": 426, "detail": "this coordinator speaks protocol 2", "retry_s": 1}'
    between.answers["POST /api/v1/workers"] = [(426, "application/problem+json", old)]
    worker = between.worker()
    worker.wait_event("version_refused")
    time.sleep(3)
    assert worker.running() and len(between.asked) == 1
    assert "update this worker" in worker.text() and "speaks protocol 2" in worker.text()


def test_a_download_goes_on_where_it_was_cut(between):
    between.answers[BLOB] = [100_000, 50_000, 70_000]
    search = between.submit()
    between.worker()
    between.check(search)
    starts = [int(re.match(r"bytes=(\d+)-", headers["Range"])[1]) for kind, _, headers in between.asked
              if kind == BLOB and "Range" in headers]
    assert starts[:3] == [100_000, 150_000, 220_000], starts
