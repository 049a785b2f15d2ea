"""Power failures: the files a disk may hold when the power goes at any moment still have every acknowledged result.

A preloaded library (crashlog.c) writes down every write, truncation and sync of a coordinator at work. For each cut
this test builds the files as they may be then: what was synced is there; of what was not, any part may be, whole
or torn at sectors of 512 bytes, in any order; names not synced with their directory may be missing. SQLite opens the
result, checks it, and the ledger up to that moment is compared. Now and then the coordinator itself starts on it.
"""
import os
import pathlib
import random
import shutil
import sqlite3
import struct
import tempfile
import time


import rig

RECORD = struct.Struct("<cxxxiqqq")
SECTOR = 512


def read_log(path):
    data, at, records = memoryview(pathlib.Path(path).read_bytes()), 0, []
    while at + RECORD.size <= len(data):
        op, file, ns, offset, length = RECORD.unpack_from(data, at)
        at += RECORD.size
        body = None
        if op in (b"W", b"N"):
            body = data[at:at + length]
            at += length
        records.append((op.decode(), file, ns, offset, length, body))
    return records


class File:
    def __init__(self, path):
        self.path, self.durable, self.pending = path, bytearray(), []


def apply(image, op, offset, length, body):
    if op == "T":
        del image[length:]
        image.extend(bytes(length - len(image)))
        return
    end = offset + len(body)
    if len(image) < end:
        image.extend(bytes(end - len(image)))
    image[offset:end] = body


class Disk:
    """Replays records; `image` gives one possible content of the files now."""

    def __init__(self, directory):
        self.directory = str(directory).rstrip("/")
        self.files, self.named, self.names = {}, {}, {}

    def step(self, record):
        op, number, _, offset, length, body = record
        if op == "N":
            path = bytes(body).decode()
            self.files[number] = File(path)
            self.names[path] = number
            return
        file = self.files[number]
        if op == "U":
            self.names.pop(file.path, None)
        elif op == "S" and file.path.rstrip("/") == self.directory:
            self.named = dict(self.names)
        elif op == "S":
            for one in file.pending:
                apply(file.durable, *one)
            file.pending = []
        else:
            file.pending.append((op, offset, length, body))

    def image(self, rng, into):
        """What the directory may hold: names as last synced or as now, unsynced writes in part."""
        names = self.named if rng.random() < 0.5 else self.names
        mode = rng.choice(["none", "all", "some", "torn"])
        for path, number in names.items():
            file = self.files[number]
            if path.rstrip("/") == self.directory:
                continue
            content = bytearray(file.durable)
            pending = list(file.pending)
            if mode in ("some", "torn"):
                pending = [p for p in pending if rng.random() < 0.5]
                rng.shuffle(pending)
            for op, offset, length, body in pending if mode != "none" else ():
                if mode != "torn" or op == "T":
                    apply(content, op, offset, length, body)
                    continue
                for at in range(0, len(body), SECTOR):
                    if rng.random() < 0.5:
                        apply(content, op, offset + at, 0, body[at:at + SECTOR])
            (into / os.path.basename(path)).write_bytes(content)


def record_run(coordinator, fleet, tmp_path, seconds, **env):
    server = coordinator("--max-job", "4")
    log = tmp_path / "crash.log"
    os.environ.update(LD_PRELOAD=str(rig.BUILD / "libcrashlog.so"), CRASH_DIR=str(server.data), CRASH_LOG=str(log), **env)
    try:
        server.start()
    finally:
        for name in ("LD_PRELOAD", "CRASH_DIR", "CRASH_LOG", *env):
            del os.environ[name]
    stored = rig.store(server)
    for _ in range(2):
        rig.start_search(server, stored, 1_000_000)
    began = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    sim = fleet(server, tmp_path / "ledger", workers=64, join_rate=200, rate=250, hold_s=0.1, jobs=4, batch=2,
                beat_s=0.5, dup=0.05, drop=0.03, forget=0.1)
    time.sleep(seconds)
    sim.stop()
    server.process.kill()
    return server, read_log(log), began


def cut(disk, rng, ledger, at_ns, into):
    """Problems found on one possible disk."""
    for old in into.iterdir():
        old.unlink() if old.is_file() else shutil.rmtree(old)
    disk.image(rng, into)
    if not (into / "subrank.db").exists():
        return ["the database is gone"]
    try:
        return rig.check(into / "subrank.db", ledger, until=at_ns)["problems"]
    except sqlite3.DatabaseError as e:
        return [f"database: {e}"]


def cuts(server, records, began, ledger, count, rng, start_every=0):
    """Cuts at `count` random moments; (problems, acknowledged at the last cut)."""
    first = next(i for i, r in enumerate(records) if r[2] > began)
    wanted = sorted(rng.randrange(first, len(records)) for _ in range(count))
    problems, disk, at = [], Disk(server.data), 0
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=base, prefix="subrank-cut-") as scratch:
        into = pathlib.Path(scratch) / "data"
        into.mkdir()
        for number, index in enumerate(wanted):
            while at < index:
                disk.step(records[at])
                at += 1
            found = cut(disk, rng, ledger, records[index][2] - 1, into)
            problems += [f"cut before record {index}: {p}" for p in found[:3]]
            if start_every and number % start_every == start_every - 1 and not found:
                starts(into)
    return problems


def starts(data):
    """The coordinator itself starts on such a disk."""
    one = rig.make_coordinator(data.parent / "again")
    if one.data.exists():
        shutil.rmtree(one.data)
    shutil.copytree(data, one.data)
    one.start()
    assert one.api("GET", "/searches")["items"]
    one.process.stop()


def test_acknowledged_results_survive_a_power_failure(coordinator, fleet, full, tmp_path):
    count = 10_000 if full else 300
    server, records, began = record_run(coordinator, fleet, tmp_path, 30 if full else 6)
    told = rig.read_ledger(tmp_path / "ledger")
    problems = cuts(server, records, began, tmp_path / "ledger", count, random.Random(1), count // 10)
    print(f"{count} cuts in {len(records)} records, {len(told)} results acknowledged, {len(problems)} problems")
    assert len(told) > 200 and len(records) > 1000, "the test did not bite"
    assert not problems, problems[:5]


def test_without_syncs_a_power_failure_shows(coordinator, fleet, tmp_path):
    """The negative control: the same with syncs that do nothing must lose results."""
    server, records, began = record_run(coordinator, fleet, tmp_path, 4, CRASH_NOSYNC="1")
    problems = cuts(server, records, began, tmp_path / "ledger", 40, random.Random(1))
    assert len(problems) > 10, "dropping unsynced writes went unnoticed"
