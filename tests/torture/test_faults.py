"""The n-th allocation fails, the n-th write, the n-th sync, the disk is full: for every kind of request, once and for
good. Allowed is a whole answer, an error of status 5xx, a closed connection, or an exit; never a crash by a signal that
means broken code, never half an answer, and never a database that differs from what was acknowledged.
"""
import hashlib
import http.client
import json
import mmap
import os
import pathlib
import resource
import signal
import sqlite3
import struct
import time

import pytest
import requests

import rig
from cluster import ApiError

ALLOCATION, WRITE_EIO, WRITE_FULL, WRITE_SHORT, SYNC_EIO = 1, 2, 3, 4, 5
BROKEN = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT}
# GMP cannot report that memory is out: it prints this and aborts. Nothing is lost by it.
LIBRARY = "GNU MP: Cannot allocate memory"


class Faults:
    """The shared control of fault.c."""

    def __init__(self, path):
        pathlib.Path(path).write_bytes(bytes(48))
        self.path, self.file = path, open(path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), 48)

    def put(self, index, value):
        self.map[8 * index:8 * index + 8] = struct.pack("<Q", value)

    def get(self, index):
        return struct.unpack_from("<Q", self.map, 8 * index)[0]

    def arm(self, kind, at, sticky=False):
        self.put(0, 0)
        self.put(3, 0)
        self.put(4, 0)
        self.put(1, at)
        self.put(2, int(sticky))
        self.put(0, kind)

    def disarm(self):
        """How often the fault hit."""
        self.put(0, 0)
        return self.get(4)


class Victim:
    """A coordinator under the library, started again whenever it ended."""

    def __init__(self, coordinator, tmp_path):
        self.faults = Faults(tmp_path / "faults")
        self.server = coordinator("--max-job", "2")
        self.ends, self.acknowledged = [], {}
        self.start()

    def start(self):
        os.environ.update(LD_PRELOAD=str(rig.BUILD / "libfault.so"), FAULT_FILE=str(self.faults.path))
        try:
            self.server.start()
        finally:
            del os.environ["LD_PRELOAD"], os.environ["FAULT_FILE"]

    def revive(self, what):
        """Starts it again when it ended; a signal that means broken code fails the test."""
        if self.server.process.running():
            return False
        code = self.server.process.child.wait()
        tail = self.server.process.text()[-1500:]
        assert -code not in BROKEN or LIBRARY in tail, f"{what}: died by {signal.Signals(-code).name}\n{tail}"
        self.ends.append((what, code))
        self.start()
        return True

    def call(self, method, path, body=None, token=None, type_="application/json", raw=None):
        """(status, body), or (0, b"") when the connection ended without an answer."""
        host = self.server.url.split("//")[1]
        connection = http.client.HTTPConnection(host, timeout=20)
        data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
        headers = {"Authorization": f"Bearer {token or self.server.token()}"}
        if data is not None:
            headers["Content-Type"] = type_
        try:
            connection.request(method, path if path.startswith("/") else f"/api/v1/{path}", data, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def wait_gone(self):
        """A coordinator that is about to end gets the time to."""
        for _ in range(200):
            if not self.server.process.running() or self.alive():
                return
            time.sleep(0.02)

    def alive(self):
        return self.call("GET", "/healthz")[0] == 200


def shape(value):
    """Which members and how many elements: half an answer has another shape."""
    if isinstance(value, dict):
        return {k: shape(v) for k, v in value.items()}
    if isinstance(value, list):
        return [len(value), shape(value[0]) if value else None]
    return None


class World:
    """What requests need; every method leaves (method, path, keyword arguments) for one fresh request."""

    def __init__(self, victim):
        self.v, self.n = victim, 0
        server = victim.server
        self.stored = rig.store(server)
        self.search = rig.start_search(server, self.stored, 1_000_000)
        joined = server.api("POST", "/workers", {"protocol": 1, "name": "w"}, token=server.token("join"))
        self.worker, self.key = joined["id"], joined["key"]
        self.space = server.api("GET", "/spaces")["items"][0]["id"]
        self.images = server.api("GET", "/datasets/1")["document"]
        for _ in range(3):
            self.deliver(self.lease())
        self.code = server.ranking(self.search)[0]["code"]

    def name(self):
        self.n += 1
        return f"n{self.n}"

    def lease(self):
        for _ in range(500):
            answer = self.v.server.api("POST", "/leases", {"protocol": 1, "held": []}, token=self.key)
            if answer["leases"]:
                return answer["leases"][0]
            time.sleep(0.02)
        raise AssertionError("no work")

    def result(self, lease):
        images = lease["input"]["evaluation"]["images"]
        return {"kind": "score", "backend": "x", "build": "1", "wall_ms": 1, "scores": [
            {"code": c, "n_images": images, "n_correct": rig.correct(lease["lease"], c, images),
             "n_correct_top5": images, "loss_sum": 1.5, "stats_digest": lease["lease"]}
            for c in lease["input"]["candidates"]]}

    def deliver(self, lease):
        status, body = self.v.call("PUT", f"results/{lease['job']}/{lease['lease']}", self.result(lease), self.key)
        if status == 200:
            self.v.acknowledged[lease["job"]] = lease["lease"]
        return status, body

    # ---- one method for each kind of request

    def reads(self):
        s = f"searches/{self.search}"
        return {
            "health": "/healthz", "metrics": "/metrics", "openapi": "/openapi.json", "version": "version",
            "session": "session", "audit": "audit", "spaces": "spaces", "space": f"spaces/{self.space}",
            "checkpoints": "checkpoints", "checkpoint": "checkpoints/1", "datasets": "datasets",
            "dataset": "datasets/1", "searches": "searches", "search": s, "ranking": f"{s}/ranking?limit=3",
            "candidate": f"{s}/candidates/{self.code}", "pareto": f"{s}/pareto", "density": f"{s}/density?bins=4",
            "history": f"{s}/history", "points": f"{s}/points", "importance": f"{s}/importance",
            "classes": f"{s}/classes", "correlation": f"{s}/correlation", "csv": f"{s}/export.csv",
            "json": f"{s}/export.json", "workers": "workers", "worker": f"workers/{self.worker}", "tokens": "tokens"}

    def new_search(self):
        return self.v.server.api("POST", "/searches", {
            "name": self.name(), **self.stored, "strategy": {"name": "list", "codes": [self.code]},
            "policy": {"average": "none"}, "evaluation": {"images": 10}})["id"]

    def writes(self):
        """name -> function that readies one request and returns it."""
        api = self.v.server.api

        def blob():
            data = (self.name() * 1000).encode()
            return dict(method="PUT", path=f"blobs/{hashlib.sha256(data).hexdigest()}", raw=data,
                        type_="application/octet-stream")

        def worker():
            joined = api("POST", "/workers", {"protocol": 1, "name": "w"}, token=self.v.server.token("join"))
            return joined

        def result():
            lease = self.lease()
            self.current = lease
            return dict(method="PUT", path=f"results/{lease['job']}/{lease['lease']}", body=self.result(lease),
                        token=self.key)

        return {
            "blob": blob,
            "create space": lambda: dict(method="POST", path="spaces", body={
                "name": self.name(), "document": rig.small_space()}),
            "plan": lambda: dict(method="POST", path=f"spaces/{self.space}/plan", body={"code": self.code}),
            "create checkpoint": lambda: dict(method="POST", path="checkpoints", body={
                "name": self.name(), "blob": api("GET", "/checkpoints/1")["blob"], "space": self.space}),
            "create dataset": lambda: dict(method="POST", path="datasets", body={
                **self.images, "name": self.name()}),
            "create search": lambda: dict(method="POST", path="searches", body={
                "name": self.name(), **self.stored, "strategy": {"name": "list", "codes": [self.code]},
                "policy": {"average": "none"}, "evaluation": {"images": 10}}),
            "patch search": lambda: dict(method="PATCH", path=f"searches/{self.search}", body={"notes": self.name()}),
            "pause": lambda: dict(method="POST", path=f"searches/{self.new_search()}/pause"),
            "cancel": lambda: dict(method="POST", path=f"searches/{self.new_search()}/cancel"),
            "delete search": lambda: dict(method="DELETE", path=f"searches/{self.new_search()}"),
            "truth": lambda: dict(method="PUT", path=f"searches/{self.search}/truth", body={
                "accuracies": {self.code: 0.5}}),
            "join": lambda: dict(method="POST", path="workers", body={"protocol": 1, "name": self.name()},
                                 token=self.v.server.token("join")),
            "leave": lambda: dict(method="DELETE", path="workers/me", token=worker()["key"]),
            "revoke": lambda: dict(method="POST", path=f"workers/{worker()['id']}/revoke"),
            "lease": lambda: dict(method="POST", path="leases", body={"protocol": 1, "held": []}, token=self.key),
            "beat": lambda: dict(method="POST", path="beats", body={"protocol": 1, "held": []}, token=self.key),
            "result": result,
            "return": lambda: dict(method="DELETE", path=f"leases/{self.lease()['lease']}", token=self.key),
            "create token": lambda: dict(method="POST", path="tokens", body={"role": "read", "name": self.name()}),
            "revoke token": lambda: dict(method="DELETE", path="tokens/%d" % api(
                "POST", "/tokens", {"role": "read", "name": self.name()})["id"]),
        }


def expect(name, n, kind, status, body, whole):
    allowed = {500, 503}
    if kind in (WRITE_FULL, WRITE_SHORT):
        allowed.add(507)
    if kind == ALLOCATION and b"surveyed" in body:
        allowed.add(413)  # the survey of a space takes a refused allocation for its own limit
    assert status == 0 or 200 <= status < 300 or status in allowed, f"{name}, {n}: {status} {body[:300]}"
    if 200 <= status < 300 and whole is not None:
        try:
            got = shape(json.loads(body))
        except ValueError:
            got = None
        assert got == whole, f"{name}, {n}: half an answer: {body[:500]}"


def roomy(answer):
    """None for an answer that says to come back when the disk has room."""
    return None if answer[0] == 507 else answer


def ready(make):
    """The request, once the coordinator has seen that the disk has room again."""
    def made():
        try:
            return make()
        except ApiError as problem:
            if problem.status != 507:
                raise
            return None
    return rig.wait_for("room on the disk", made, 15)


def walk(victim, world, name, make, kind, sticky, most, whole=None):
    """Fails the 1st, 2nd, 3rd ... event while the request runs, until it runs through."""
    n, step, hit = 1, 1, 0
    while True:
        try:
            request = ready(make)
        except requests.ConnectionError: # it was about to end
            rig.wait_for("the end", lambda: victim.revive(name), 5)
            request = ready(make)
        victim.faults.arm(kind, n, sticky)
        status, body = victim.call(**request)
        hits = victim.faults.disarm()
        if status == 0:
            victim.wait_gone()
        victim.revive(f"{name}, event {n} {'on' if sticky else ''}")
        expect(name, n, kind, status, body, whole)
        if name == "result":
            lease = world.current
            if status == 200:
                victim.acknowledged[lease["job"]] = lease["lease"]
            again, text = rig.wait_for("room on the disk", lambda: roomy(world.deliver(lease)), 15)
            if not again: # it was about to end
                rig.wait_for("the end", lambda: victim.revive(name) or victim.alive(), 5)
                again, text = world.deliver(lease)
            assert again == 200 and json.loads(text)["status"] in ("stored", "duplicate"), (name, n, status, again, text)
        if not hits:
            return hit
        hit += 1
        if hit % most == 0:
            step *= 4
        n += step


def audit(victim):
    """The database is sound and has every acknowledged result."""
    if victim.server.process.running():
        victim.server.process.stop()
    db = sqlite3.connect(victim.server.data / "subrank.db")
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    jobs = {i: (state, lease) for i, state, lease in db.execute("SELECT id, state, lease FROM job")}
    lost = {j: (x, jobs.get(j)) for j, x in victim.acknowledged.items() if jobs.get(j) != ("done", x)}
    assert not lost, lost
    assert db.execute("SELECT count(*) FROM candidate c JOIN job j ON j.id = c.job WHERE c.state = 'scored' AND "
                      "c.stats_digest IS NOT j.lease").fetchone() == (0,)
    counted, = db.execute("SELECT sum(scored) FROM worker").fetchone()
    assert (counted,) == db.execute("SELECT count(*) FROM candidate WHERE state = 'scored'").fetchone()
    db.close()


@pytest.mark.parametrize("sticky", [False, True], ids=["once", "for good"])
def test_failing_allocations(coordinator, full, tmp_path, sticky):
    victim = Victim(coordinator, tmp_path)
    world = World(victim)
    most, hits = 40 if full else 3, {}
    for name, path in world.reads().items():
        status, body = victim.call("GET", path)
        if status == 422:
            continue
        assert status == 200, (name, status, body)
        try:
            whole = shape(json.loads(body))
        except ValueError:
            whole = None
        loose = name in ("metrics", "csv", "openapi", "audit", "json", "worker", "workers", "history", "search", "searches")
        hits[name] = walk(victim, world, name, lambda: dict(method="GET", path=path), ALLOCATION, sticky, most,
                          None if loose else whole)
    for name, make in world.writes().items():
        hits[name] = walk(victim, world, name, make, ALLOCATION, sticky, most)
    print(f"{sum(hits.values())} failed allocations over {len(hits)} kinds of requests, {len(victim.ends)} exits")
    assert all(hits.values()), hits
    audit(victim)


@pytest.mark.parametrize("kind", [WRITE_EIO, WRITE_FULL, WRITE_SHORT, SYNC_EIO], ids=["EIO", "ENOSPC", "short", "sync"])
@pytest.mark.parametrize("sticky", [False, True], ids=["once", "for good"])
def test_failing_disk(coordinator, full, tmp_path, kind, sticky):
    victim = Victim(coordinator, tmp_path)
    world = World(victim)
    hits = 0
    for name, make in world.writes().items():
        if not full and name not in ("blob", "create search", "join", "lease", "result", "delete search"):
            continue
        hits += walk(victim, world, name, make, kind, sticky, 40 if full else 6)
    print(f"{hits} faults, {len(victim.ends)} exits")
    assert hits > 5
    audit(victim)


def test_a_full_disk(coordinator, tmp_path):
    """Files may not grow any more (RLIMIT_FSIZE): answers say so, reading goes on, and room helps at once."""
    victim = Victim(coordinator, tmp_path)
    world = World(victim)
    pid = victim.server.process.child.pid
    wal = victim.server.data / "subrank.db-wal"
    used = max(wal.stat().st_size, (victim.server.data / "subrank.db").stat().st_size)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (used + 200_000, resource.RLIM_INFINITY))
    statuses = set()
    for i in range(400):
        data = os.urandom(20_000)
        status, body = victim.call("PUT", f"blobs/{hashlib.sha256(data).hexdigest()}", raw=data,
                                   type_="application/octet-stream")
        statuses.add(status)
        if status >= 500 or not status:
            break
    assert victim.server.process.running(), victim.server.process.text()[-1000:]
    assert statuses <= {201, 202, 500, 507} and max(statuses) >= 500, (statuses, body)
    rig.wait_for("reading to go on", lambda: victim.call("GET", f"searches/{world.search}/ranking")[0] == 200, 2)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert world.deliver(world.lease())[0] == 200
    audit(victim)


@pytest.mark.parametrize("kind", [WRITE_EIO, SYNC_EIO], ids=["EIO", "sync"])
def test_a_list_of_accuracies_loses_a_part(coordinator, full, tmp_path, kind):
    """It is stored in slices with a commit each: when one of these fails, the whole list is refused."""
    victim = Victim(coordinator, tmp_path)
    world = World(victim)
    path, refused = f"searches/{world.search}/truth", 0
    for at in range(4, 60 if full else 16, 2):
        known = {f"{at}-{i:05}": .5 + at / 1000 for i in range(40_000)}
        victim.faults.arm(kind, at if kind == SYNC_EIO else 20 * at)
        status, body = victim.call("PUT", path, {"accuracies": known})
        victim.faults.disarm()
        victim.revive(f"accuracies, fault {at}")
        assert status in (200, 500, 503), (at, status, body)
        refused += status != 200
        if status == 200:
            db = sqlite3.connect(victim.server.data / "subrank.db")
            stored = dict(db.execute("SELECT code, accuracy FROM truth WHERE search = ?", (world.search,)))
            db.close()
            whole = stored == known
            assert whole, (at, len(stored))
    print(f"{refused} lists refused")
    assert refused
    rig.wait_for("room for a list", lambda: victim.call("PUT", path, {"accuracies": {"0": .5}})[0] == 200, 20)
    audit(victim)
