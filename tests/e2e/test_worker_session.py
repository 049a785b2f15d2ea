"""Who a worker is: joining, its key, its lock, refusals, leaving."""
import json
import os
import stat

import pytest

from cluster import wait_for

QUICK = ("--beat-s", "0.5", "--expiry-s", "2", "--sweep-s", "0.2")


@pytest.fixture
def c(cluster):
    return cluster(*QUICK)


def workers(c):
    return {w["name"]: w for w in c.server.api("GET", "/workers")["items"]}


def seen_since(c, name, then):
    return wait_for("a beat", lambda: (workers(c)[name]["seen"] or 0) > then)


def ended(worker, seconds=120):
    """The exit status of a worker that ends by itself."""
    wait_for("the end of the worker", lambda: not worker.running(), seconds)
    return worker.child.returncode


def test_joins_once_and_keeps_a_private_key(c):
    w = c.worker("w1")
    w.wait_event("joined")
    identity = c.dir / "state-w1" / "worker.json"
    assert stat.S_IMODE(os.stat(identity).st_mode) == 0o600
    key = json.loads(identity.read_text())["key"]
    seen_since(c, "w1", 0)
    assert w.stop() == 0
    then = workers(c)["w1"]["seen"]
    again = c.worker("w1", SUBRANK_JOIN_TOKEN_FILE="")
    seen_since(c, "w1", then)
    assert len(workers(c)) == 1, "a restart must not make a second worker"
    assert again.stop() == 0
    text = (c.dir / "w1.log").read_text() + (c.dir / "subrankd.log").read_text()
    assert key not in text and c.server.token("join") not in text, "a secret in a log"


def test_one_agent_per_state_directory(c):
    w = c.worker("w1")
    w.wait_event("joined")
    assert ended(c.worker("w1")) == 1
    assert "another worker uses this state directory" in w.text()
    w.kill()
    third = c.worker("w1")  # kill -9 leaves no stale lock
    third.wait_event("started", count=2)
    assert third.stop() == 0


def test_wrong_join_token_ends_with_status_3(c):
    w = c.worker("w1", SUBRANK_JOIN_TOKEN_FILE="", SUBRANK_JOIN_TOKEN="x" * 40)
    assert ended(w) == 3
    assert "key_refused" in w.text() and "x" * 40 not in w.text()
    none = c.worker("w2", SUBRANK_JOIN_TOKEN_FILE="")
    assert ended(none) == 2
    assert "has not joined yet" in none.text()


def test_revoked_key_ends_with_status_3_and_says_what_to_do(c):
    w = c.worker("w1")
    w.wait_event("joined")
    seen_since(c, "w1", 0)
    c.server.api("POST", f"/workers/{workers(c)['w1']['id']}/revoke")
    assert ended(w) == 3
    assert "key_refused" in w.text() and "remove worker.json" in w.text()
    assert ended(c.worker("w1")) == 3, "a revoked worker stays out until a human acts"


def test_waits_for_a_coordinator_that_is_not_there_yet(c):
    c.server.process.kill()
    w = c.worker("w1")
    w.wait_event("contact_failed", count=2)
    c.server.start()
    w.wait_event("joined")
    assert w.stop() == 0


def test_survives_the_coordinators_absence(c):
    w = c.worker("w1")
    w.wait_event("joined")
    for i in range(2):
        c.server.process.kill()
        w.wait_event("contact_failed", count=i + 1)
        c.server.start()
        seen_since(c, "w1", workers(c)["w1"]["seen"] or 0)
    assert len(workers(c)) == 1
    assert w.stop() == 0


def test_leave_gives_the_identity_up(c):
    w = c.worker("w1", SUBRANK_LEAVE="1")
    w.wait_event("joined")
    assert w.stop() == 0
    assert not (c.dir / "state-w1" / "worker.json").exists()
    assert workers(c)["w1"]["state"] == "left"


def test_unusable_state_directory_is_refused_at_start(c):
    blocked = c.dir / "blocked"
    blocked.write_text("a file, not a directory")
    w = c.worker("w1", SUBRANK_STATE_DIR=str(blocked))
    assert ended(w) == 1
    assert "start_failed" in w.text()


def test_a_wrong_setting_names_itself(c):
    w = c.worker("w1", SUBRANK_CACHE_SIZE="lots")
    assert ended(w) == 2
    assert "SUBRANK_CACHE_SIZE" in w.text() and "not a size" in w.text()
