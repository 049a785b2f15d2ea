"""kill -9 at random times, and a million deliveries in every order: what was acknowledged is there, once.

kill -9 keeps the page cache: this proves the order of commit and answer. What a power failure does is test_power.py's.
"""
import random
import time

import rig

CHAOS = dict(dup=0.05, drop=0.03, cut=0.03, give=0.02, forget=0.1, clone=0.1)


def clean(mark):
    """What may never happen: other statuses than success, two final answers that differ, a forgotten worker."""
    return {k: mark[k] for k in ("refused", "errors", "invalid", "unknown", "contradictions", "rejoined") if mark[k]}


def total(marks, key):
    return sum(m[key] for m in marks)


def test_acknowledged_results_survive_kill_9(coordinator, fleet, full, tmp_path):
    kills = 1000 if full else 50
    server, rng = coordinator("--max-job", "4"), random.Random(7)
    server.start()
    stored = rig.store(server)
    for _ in range(3):
        rig.start_search(server, stored, 1_000_000)
    sim = fleet(server, tmp_path / "ledger", workers=64, join_rate=200, rate=400, hold_s=0.1, jobs=4, batch=2,
                beat_s=0.5, backoff_s=0.02, backoff_max_s=0.2, seed=3, **CHAOS)
    sim.wait("the first results", lambda m: m["stored"])
    marks, alive = [], 0.0
    for kill in range(kills):
        pause = rng.random() * 0.5
        time.sleep(pause)
        alive += pause
        server.process.kill()
        server.start()
        if kill % 50 == 49:
            marks.append(sim.mark())
            assert not clean(marks[-1]), marks[-1]
    marks.append(sim.stop())
    verdict = rig.check(server.data / "subrank.db", tmp_path / "ledger")
    print(f"{kills} kills, {alive:.0f} s alive, {verdict['acknowledged']} results acknowledged, {verdict['lost']} lost, "
          f"{verdict['twice']} counted twice")
    assert not clean(marks[-1]), marks[-1]
    assert verdict["problems"] == []
    assert verdict["acknowledged"] > 10 * kills and total(marks, "lost") > kills, "the test did not bite"


def test_no_result_counts_twice_in_any_order(coordinator, fleet, full, tmp_path):
    deliveries = 1_000_000 if full else 20_000
    server = coordinator("--max-job", "2", "--beat-s", "0.3", "--expiry-s", "1", "--sweep-s", "0.2",
                         "--max-expired", "1000000")
    server.start()
    stored = rig.store(server)
    for _ in range(3):
        rig.start_search(server, stored, 5_000_000)
    sim = fleet(server, tmp_path / "ledger", workers=200, join_rate=200, rate=300, hold_s=0.3, jobs=6, batch=3,
                beat_s=0.3, mute=0.05, mute_s=2, dup=0.75, drop=0.02, cut=0.02, give=0.02, forget=0.2, clone=0.15,
                backoff_s=0.02, deliveries=deliveries, seed=11)
    mark = sim.finish(3000)
    verdict = rig.check(server.data / "subrank.db", tmp_path / "ledger")
    print(f"{mark['delivered']} deliveries: {mark['stored']} stored, {mark['duplicate']} duplicate, "
          f"{mark['superseded']} superseded, {mark['gone']} leases gone, {verdict['twice']} counted twice")
    assert not clean(mark), mark
    assert verdict["problems"] == []
    assert mark["duplicate"] > deliveries / 10 and mark["superseded"] and mark["gone"] and mark["resent"], mark
