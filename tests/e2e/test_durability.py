"""Backups, restores, upgrades and damaged databases, with the real program on real files."""
import hashlib
import pathlib
import random
import re
import sqlite3
import subprocess
import threading

import pytest

from cluster import BUILD, wait_for
from test_server import PlayedWorker, start_search, store_demo

SEARCHES = 6
FIXTURES = pathlib.Path(__file__).parent / "fixtures"


def subrankd(*argv):
    return subprocess.run([BUILD / "subrankd", *map(str, argv)], capture_output=True, text=True, timeout=120)


def query(path, sql):
    db = sqlite3.connect(path)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


class Load:
    """A played worker that leases and delivers until it is told to stop, and counts what was acknowledged."""

    def __init__(self, server):
        self.worker, self.acked, self.ended = PlayedWorker(server), [], threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.ended.is_set():
            for lease in self.worker.lease():
                if self.worker.deliver(lease) == "stored":
                    self.acked.append(lease["job"])

    def stop(self):
        self.ended.set()
        self.thread.join()


@pytest.fixture
def loaded(cluster):
    server = cluster("--first-job", "2", "--max-job", "2").server
    _, checkpoint, dataset = store_demo(server)
    for seed in range(SEARCHES):
        start_search(server, checkpoint, dataset, strategy={"name": "random", "count": 700}, seed=seed)
    load = Load(server)
    wait_for("some results", lambda: len(load.acked) > 50)
    yield server, load
    load.stop()


def check_copy(file, acked):
    """Everything acknowledged before the copy began is in it, and it is one sound file."""
    sound = subrankd("restore", "--verify", file)
    assert sound.returncode == 0, sound.stderr
    assert not pathlib.Path(f"{file}-wal").exists() and not pathlib.Path(f"{file}.part").exists()
    assert query(file, "PRAGMA journal_mode") == [("delete",)]
    assert acked <= {job for job, in query(file, "SELECT id FROM job WHERE state = 'done'")}
    assert query(file, "SELECT count(*) FROM candidate c JOIN job j ON j.id = c.job "
                       "WHERE (c.state = 'scored') <> (j.state = 'done')") == [(0,)]
    return sound.stdout


def test_backup_beside_a_running_coordinator_restores(loaded, cluster, tmp_path):
    server, load = loaded
    acked, copy = set(load.acked), tmp_path / "copy.db"
    made = subrankd("backup", copy, "--data", server.data)
    assert made.returncode == 0, made.stderr
    assert (copy.stat().st_mode & 0o777) == 0o600
    assert f"searches={SEARCHES} " in check_copy(copy, acked)
    assert subrankd("backup", copy, "--data", server.data).returncode == 1  # never replaces

    occupied = subrankd("restore", copy, "--data", server.data)
    assert occupied.returncode == 1 and "works in this directory" in occupied.stderr
    other = cluster()
    other.server.process.stop()
    kept = subrankd("restore", copy, "--data", other.server.data)
    assert kept.returncode == 1 and "is there already" in kept.stderr
    for file in other.server.data.glob("subrank.db*"):
        file.unlink()
    back = subrankd("restore", copy, "--data", other.server.data)
    assert back.returncode == 0, back.stderr
    load.stop()
    token = server.token()
    other.server.start()
    stored = [other.server.api("GET", f"/searches/{i + 1}", token=token)["progress"]["scored"] for i in range(SEARCHES)]
    assert sum(stored) >= 2 * len(acked) - SEARCHES


def test_backup_by_the_running_coordinator_itself(loaded):
    server, load = loaded
    acked = set(load.acked)
    begun = server.api("POST", "/backup")
    assert begun["state"] == "running"

    def over():
        now = server.api("GET", "/backup")
        return now if now["state"] != "running" else None
    done = wait_for("the backup", over)
    assert done["state"] == "done" and done["bytes"] > 1e6, done
    assert pathlib.Path(done["file"]).parent == server.data / "backup"
    check_copy(done["file"], acked)
    assert len(load.acked) > len(acked)  # work went on


def test_a_stopped_backup_leaves_nothing(loaded):
    server, load = loaded
    load.stop()
    server.api("POST", "/backup")
    assert server.process.stop() == 0
    left = list((server.data / "backup").iterdir())
    assert all(f.suffix == ".db" and subrankd("restore", "--verify", f).returncode == 0 for f in left), left


def test_verify_finds_damage(loaded, tmp_path):
    server, load = loaded
    load.stop()
    copy = tmp_path / "copy.db"
    assert subrankd("backup", copy, "--data", server.data).returncode == 0
    sound = copy.read_bytes()

    def verdict(data):
        copy.write_bytes(data)
        return subrankd("restore", "--verify", copy)
    assert verdict(sound).returncode == 0
    for data in (sound[:len(sound) // 2 // 4096 * 4096], b"x" * 5000, b""):
        assert verdict(data).returncode == 1
    # One bit of a blob: the structure is sound, only its hash tells.
    row = query(server.data / "subrank.db", "SELECT data FROM chunk WHERE length(data) > 5000 LIMIT 1")[0][0]
    at = sound.find(row[:200])
    assert at > 0
    flipped = bytearray(sound)
    flipped[at + 100] ^= 1
    said = verdict(bytes(flipped))
    assert said.returncode == 1 and "blob" in said.stderr and "damaged" in said.stderr


def test_a_damaged_database_is_refused_and_says_what_to_do(cluster):
    one = cluster()
    _, checkpoint, dataset = store_demo(one.server)
    one.server.process.stop()
    path = one.server.data / "subrank.db"
    sound = path.read_bytes()
    argv = ["--data", one.server.data, "--listen", "127.0.0.1:0"]
    broken = bytearray(sound)
    for page in range(2, len(broken) // 4096):
        if random.Random(page).random() < 0.3:
            broken[page * 4096:page * 4096 + 64] = b"\xa5" * 64
    for data in (bytes(broken), b"no database at all" * 1000):
        path.write_bytes(data)
        said = subrankd(*argv)
        assert said.returncode == 1 and "damaged" in said.stderr and "subrankd restore" in said.stderr, said.stderr
        assert path.read_bytes() == data
    path.unlink()
    foreign = sqlite3.connect(path)
    foreign.execute("CREATE TABLE cats (name TEXT)")
    foreign.commit()
    foreign.close()
    said = subrankd(*argv)
    assert said.returncode == 1 and "another program's database" in said.stderr, said.stderr
    assert query(path, "SELECT name FROM sqlite_schema") == [("cats",)]


def schema(path):
    """Every object, spelled alike whether it came from schema.sql or step by step."""
    def plain(sql):
        return re.sub(r"\s+", " ", re.sub(r"--.*", "", sql or "")).replace(" ,", ",").replace("( ", "(").replace(" )", ")").replace('"', "")
    return {(kind, name, plain(sql)) for kind, name, sql in query(path, "SELECT type, name, sql FROM sqlite_schema")}


@pytest.mark.parametrize("fixture", sorted(FIXTURES.glob("schema_*.sql")), ids=lambda p: p.stem)
def test_every_released_schema_upgrades_with_its_searches_going_on(cluster, fixture):
    one = cluster()
    fresh = schema(one.server.data / "subrank.db")
    one.server.process.stop()
    path = one.server.data / "subrank.db"
    for file in one.server.data.glob("subrank.db*"):
        file.unlink()
    text = fixture.read_text()
    db = sqlite3.connect(path)
    db.executescript(text)
    db.execute("INSERT INTO token (role, name, hash, created) VALUES ('admin', 'test', ?, 0)",
               (hashlib.sha256(one.server.token().encode()).digest(),))
    db.commit()
    db.close()
    before = query(path, "SELECT search, idx, code, state, n_correct, loss_sum FROM candidate ORDER BY 1, 2")
    one.server.start()
    one.server.process.wait_event("migrated")
    assert schema(path) == fresh
    assert query(path, "SELECT search, idx, code, state, n_correct, loss_sum FROM candidate ORDER BY 1, 2") == before
    key = re.search(r"sr_[0-9a-f]+", text).group()
    worker = PlayedWorker.__new__(PlayedWorker)
    worker.server, worker.key = one.server, key
    forgotten = worker.lease()
    assert [x["job"] for x in forgotten] == [3]  # its lease lives on and is sent again
    assert worker.deliver(forgotten[0]) == "stored"
    for search in (1, 2):
        assert worker.finish(search)["state"] == "done"
    one.server.process.stop()
    assert query(path, "PRAGMA integrity_check") == [("ok",)] and query(path, "PRAGMA foreign_key_check") == []
    assert query(path, "SELECT count(*) FROM candidate WHERE state = 'scored'") == [(13,)]
