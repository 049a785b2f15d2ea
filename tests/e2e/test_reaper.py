"""What is deleted or unused goes, bit by bit, and its space with it; what is used or still coming in stays."""
import hashlib
import os
import sqlite3
import time

import pytest

from cluster import ApiError, wait_for
from test_server import PlayedWorker, start_search, store_demo


def there(server, sha):
    return server.request("HEAD", f"/blobs/{sha}").status_code == 200


def count(server, sql):
    db = sqlite3.connect(f"file:{server.data}/subrank.db?mode=ro", uri=True)
    try:
        return db.execute(sql).fetchone()[0]
    finally:
        db.close()


def test_unused_blobs_go_and_the_file_shrinks(cluster):
    server = cluster("--blob-grace-s", "5", "--sweep-s", "0.2").server
    store_demo(server)
    used = server.api("GET", "/checkpoints")["items"][0]["blob"]
    big = server.upload(os.urandom(40_000_000))
    slow = os.urandom(300_000)
    sha = hashlib.sha256(slow).hexdigest()
    for at in range(0, len(slow), 60_000):  # takes longer than the grace
        piece = slow[at:at + 60_000]
        answer = server.request("PUT", f"/blobs/{sha}", data=piece, headers={
            "Content-Range": f"bytes {at}-{at + len(piece) - 1}/{len(slow)}"})
        assert answer.status_code in (201, 202)
        time.sleep(1.2)
    assert there(server, sha)
    wait_for("the unused blob to go", lambda: count(server, f"SELECT count(*) FROM blob WHERE hash = '{big}'") == 0)
    assert there(server, used)
    wait_for("its rows to go", lambda: count(server, "SELECT count(*) FROM blob WHERE hash >= '~'") == 0)
    wait_for("the slow one to go as well", lambda: count(server, f"SELECT count(*) FROM blob WHERE hash = '{sha}'") == 0)
    wait_for("free pages to be given back", lambda: count(server, "PRAGMA freelist_count") < 4096)
    assert server.process.stop() == 0
    assert (server.data / "subrank.db").stat().st_size < 25_000_000


def test_who_asks_for_a_blob_keeps_it(cluster):
    server = cluster("--blob-grace-s", "4", "--sweep-s", "0.1").server
    sha = server.upload(os.urandom(10_000))
    end = time.monotonic() + 7
    while time.monotonic() < end:
        assert there(server, sha)
        time.sleep(0.1)


def fill(server, search, rows):
    """Scored candidates straight into the database of a stopped coordinator."""
    db = sqlite3.connect(server.data / "subrank.db")
    first, = db.execute("SELECT max(idx) + 1 FROM candidate WHERE search = ?", (search,)).fetchone()
    code, = db.execute("SELECT code FROM candidate WHERE search = ? LIMIT 1", (search,)).fetchone()
    db.executemany("INSERT INTO candidate (search, idx, code, key, class, macs, params, generation, state, n_images, n_correct, "
                   "n_correct_top5, loss_sum, stats_digest, scored_at) VALUES (?, ?, ?, ?, ?, 1, 1, 0, 'scored', 9, 5, 9, 1.5, ?, 1)",
                   ((search, first + i, code, *3 * [hashlib.md5(str(i).encode()).hexdigest()]) for i in range(rows)))
    db.commit()
    db.close()


@pytest.fixture
def large(cluster):
    server = cluster("--sweep-s", "0.2").server
    _, checkpoint, dataset = store_demo(server)
    for _ in range(2):
        search = start_search(server, checkpoint, dataset, strategy={"name": "random", "count": 8})["id"]
        PlayedWorker(server).finish(search)
    server.process.stop()
    fill(server, 1, 150_000)
    return server.start()


def test_a_large_search_goes_bit_by_bit_while_others_are_served(large):
    rows = "SELECT count(*) FROM candidate WHERE search = 1"
    large.api("DELETE", "/searches/1")
    left = [count(large, rows)]
    assert left[0] > 100_000  # the answer did not wait for them to go
    while left[-1]:
        large.api("POST", "/spaces/1/plan", {"code": "000000"})
        left.append(count(large, rows))
    assert len(set(left)) > 5, left
    large.process.wait_event("search_dropped")
    with pytest.raises(ApiError):
        large.api("GET", "/searches/1")
    large.process.stop()
    for table in ("candidate", "job", "search"):
        assert count(large, f"SELECT count(*) FROM {table}") == {"candidate": 8, "search": 1}.get(table, count(
            large, "SELECT count(DISTINCT job) FROM candidate"))
    assert count(large, "PRAGMA integrity_check") == "ok"


def test_a_deletion_survives_kill_9(large):
    large.api("DELETE", "/searches/1")
    large.process.kill()
    assert count(large, "SELECT count(*) FROM candidate WHERE search = 1") > 0
    large.start()
    assert [s["id"] for s in large.api("GET", "/searches")["items"]] == [2]
    large.process.wait_event("search_dropped")  # said before the commit
    wait_for("no rows", lambda: count(large, "SELECT count(*) FROM candidate WHERE search = 1") == 0, 60)
