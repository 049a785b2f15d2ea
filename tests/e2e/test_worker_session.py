"""Who a worker is: joining, its key, its lock, refusals, leaving."""
import json
import os
import stat

import pytest

from system import System, wait_until


@pytest.fixture
def system(tmp_path):
    s = System(tmp_path)
    s.start_coordinator()
    yield s
    s.close()


def test_joins_once_and_keeps_a_private_key(system):
    w = system.worker("w1")
    w.wait_event("joined")
    identity = system.dir / "w1" / "worker.json"
    assert stat.S_IMODE(os.stat(identity).st_mode) == 0o600
    key = json.loads(identity.read_text())["key"]
    wait_until("beat", lambda: system.workers()["w1"]["seen"])
    assert w.stop() == 0
    again = system.worker("w1", env={"SUBRANK_JOIN_TOKEN_FILE": ""})
    assert int(again.wait_event("started")["worker"]) == system.workers()["w1"]["id"]
    wait_until("idle worker", lambda: system.workers()["w1"]["state"] in ("idle", "busy"))
    assert len(system.workers()) == 1, "a restart must not make a second worker"
    text = (system.dir / "w1.log").read_text() + (system.dir / "coordinator.log").read_text()
    assert key not in text and system.token("join") not in text, "no secret in a log"
    assert again.stop() == 0


def test_one_agent_per_state_directory(system):
    w = system.worker("w1")
    w.wait_event("joined")
    other = system.worker("w1")
    assert other.ended(10) == 1
    assert "another worker uses this state directory" in w.text()
    w.kill()
    third = system.worker("w1")  # kill -9 leaves no stale lock
    third.wait_event("started")
    assert third.stop() == 0


def test_wrong_join_token_ends_with_status_3(system):
    w = system.worker("w1", env={"SUBRANK_JOIN_TOKEN_FILE": "", "SUBRANK_JOIN_TOKEN": "x" * 40})
    assert w.ended(15) == 3
    assert "key_refused" in w.text() and "x" * 40 not in w.text()
    none = system.worker("w2", env={"SUBRANK_JOIN_TOKEN_FILE": ""})
    assert none.ended(15) == 2
    assert "has not joined yet" in none.text()


def test_revoked_key_ends_with_status_3_and_says_what_to_do(system):
    w = system.worker("w1")
    w.wait_event("joined")
    wait_until("beat", lambda: system.workers()["w1"]["seen"])
    system.call("POST", f"/workers/{system.workers()['w1']['id']}/revoke")
    assert w.ended(20) == 3
    assert "key_refused" in w.text() and "remove worker.json" in w.text()
    again = system.worker("w1")
    assert again.ended(20) == 3, "a revoked worker stays out until a human acts"


def test_waits_for_a_coordinator_that_is_not_there_yet(system):
    system.coordinator.kill()
    w = system.worker("w1")
    w.wait_event("contact_failed", count=2)
    system.start_coordinator()
    w.wait_event("joined")
    assert w.stop() == 0


def test_survives_the_coordinators_absence(system):
    w = system.worker("w1")
    w.wait_event("joined")
    for i in range(2):
        system.coordinator.kill()
        w.wait_event("contact_failed", count=i + 1)
        system.start_coordinator()
        wait_until("beat", lambda: system.workers()["w1"]["state"] in ("idle", "busy"))
    assert len(system.workers()) == 1
    assert w.stop() == 0


def test_leave_gives_the_identity_up(system):
    w = system.worker("w1", "--leave")
    w.wait_event("joined")
    assert w.stop() == 0
    assert not (system.dir / "w1" / "worker.json").exists()
    assert system.workers()["w1"]["state"] == "left"


def test_unusable_state_directory_is_refused_at_start(system):
    blocked = system.dir / "blocked"
    blocked.write_text("a file, not a directory")
    w = system.worker("w1", "--state-dir", blocked)
    assert w.ended(10) == 1
    assert "start_failed" in w.text()


def test_secrets_are_refused_on_the_command_line(system):
    w = system.worker("w1", "--join-token", "abc")
    assert w.ended(10) == 2
    assert "on the command line" in w.text()
