"""Messages that are lost, directions that go dead, processes that stop and peers that do not read: every architecture is
scored once, and the ranking is that of an undisturbed run. The workers are real ones with the demo's supernet.

A single message is lost by a proxy that takes it and closes the connection. A direction is lost in a network namespace:
packets of one side go to an address that nobody has. The latter needs the right to make namespaces and skips without it.
"""
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import rig
from cluster import BUILD, Process, store_demo
from relay import Relay

QUICK = ("--beat-s", "0.5", "--expiry-s", "2", "--sweep-s", "0.2", "--job-s", "1", "--first-job", "2", "--log-level", "info")
COUNT = 40


def submit(server, ids):
    return server.api("POST", "/searches", {
        "name": "net", "checkpoint": ids[1], "dataset": ids[2], "seed": 3,
        "strategy": {"name": "random", "count": COUNT},
        "policy": {"average": "cumulative", "variance": "unbiased", "batches": 2, "batch_size": 64, "split": "train"},
        "evaluation": {"split": "val", "images": 400, "batch_size": 100}})["id"]


class Workers:
    """Real workers; `url` is where they find the coordinator, `prefix` runs them somewhere else."""

    def __init__(self, server, directory):
        self.server, self.dir, self.all = server, directory, []

    def start(self, name, url=None, prefix=()):
        process = Process([*prefix, BUILD / "subrank-worker"], self.dir / f"{name}.log", {
            "SUBRANK_SERVER": url or self.server.url, "SUBRANK_JOIN_TOKEN_FILE": str(self.server.data / "join.token"),
            "SUBRANK_STATE_DIR": str(self.dir / f"state-{name}"), "SUBRANK_CACHE_DIR": str(self.dir / f"cache-{name}"),
            "SUBRANK_NAME": name, "SUBRANK_THREADS": "1", "SUBRANK_MEMORY": "1G"})
        self.all.append(process)
        return process

    def close(self):
        for process in self.all:
            if process.running():
                process.child.send_signal(signal.SIGCONT)
                process.kill()


@pytest.fixture
def net(coordinator, tmp_path):
    """A coordinator with the demo's supernet and the ranking of a search that nothing disturbed."""
    made = []

    def make(*options):
        server = coordinator(*QUICK, *options)
        server.start()
        server.workers = Workers(server, tmp_path)
        made.append(server.workers)
        server.ids = store_demo(server)
        first = submit(server, server.ids)
        process = server.workers.start("first")
        assert server.wait_search(first, 120)["state"] == "done"
        assert process.stop() == 0
        server.want = rows(server, first)
        assert len(server.want) == COUNT
        return server

    yield make
    for workers in made:
        workers.close()


def rows(server, search):
    return sorted((r["code"], r["n_images"], r["n_correct"], r["n_correct_top5"], r["loss"])
                  for r in server.ranking(search))


def check(server, search):
    done = server.wait_search(search, 180)
    assert done["state"] == "done" and done["progress"]["failed"] == 0, done
    assert rows(server, search) == server.want
    workers = server.api("GET", "/workers", params={"limit": 1000})["items"]
    assert sum(w["scored"] for w in workers) == 2 * COUNT  # each once, and the undisturbed search


def left(server, search):
    return COUNT - server.api("GET", f"/searches/{search}")["progress"]["scored"]


# ---- single messages

class Loser:
    """Takes some requests and some answers: of each kind the first request, the second answer, then one in five."""

    def __init__(self):
        self.lost, self.seen, self.lock = {}, {}, threading.Lock()

    def fate(self, kind, headers):
        with self.lock:
            n = self.seen[kind] = self.seen.get(kind, 0) + 1
            what = "request" if n == 1 or n % 10 == 5 else "answer" if n == 2 or n % 10 == 0 else None
            if what:
                self.lost[kind, what] = self.lost.get((kind, what), 0) + 1
            return what


def test_any_message_may_be_lost(net):
    server, loser = net(), Loser()
    relay = Relay(server.url, loser.fate)
    search = submit(server, server.ids)
    workers = [server.workers.start(name, relay.url) for name in ("a", "b")]
    check(server, search)
    for process in workers:
        process.stop()
    relay.close()
    print(f"lost: {loser.lost}")
    for kind in ("POST /api/v1/workers", "POST /api/v1/leases", "POST /api/v1/beats", "PUT /api/v1/results/_/_",
                 "GET /api/v1/blobs/_"):
        assert {(kind, "request"), (kind, "answer")} <= set(loser.lost), (kind, loser.lost)


# ---- directions

class Link:
    """A namespace behind a pair of virtual interfaces; each direction can be made to lose everything."""
    HERE, THERE, NOBODY = "10.213.77.1", "10.213.77.2", "02:00:00:00:00:99"

    def __init__(self):
        self.name = f"sr{os.getpid()}"
        self.here, self.there = f"{self.name}a", f"{self.name}b"
        self.prefix = ("ip", "netns", "exec", self.name)
        self.run("ip", "netns", "add", self.name)
        self.run("ip", "link", "add", self.here, "type", "veth", "peer", "name", self.there)
        self.run("ip", "link", "set", self.there, "netns", self.name)
        self.run("ip", "addr", "add", f"{self.HERE}/30", "dev", self.here)
        self.run("ip", "link", "set", self.here, "up")
        for command in (f"addr add {self.THERE}/30 dev {self.there}", f"link set {self.there} up", "link set lo up"):
            self.run(*self.prefix, "ip", *command.split())
        self.mac = {False: self.address(()), True: self.address(self.prefix)}
        self.heal()

    @staticmethod
    def run(*argv):
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout

    def address(self, prefix):
        return re.search(r"link/ether (\S+)", self.run(*prefix, "ip", "link", "show",
                                                       self.there if prefix else self.here)).group(1)

    def point(self, requests, address):
        """Where the packets of one direction go: those with requests, or those with answers."""
        to, dev, prefix = (self.HERE, self.there, self.prefix) if requests else (self.THERE, self.here, ())
        self.run(*prefix, "ip", "neigh", "replace", to, "lladdr", address, "dev", dev, "nud", "permanent")

    def lose(self, requests, answers):
        for direction, dead in ((True, requests), (False, answers)):
            self.point(direction, self.NOBODY if dead else self.mac[not direction])

    def heal(self):
        self.lose(False, False)

    def close(self):
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", self.here], check=False, capture_output=True)


@pytest.fixture
def link():
    try:
        made = Link()
    except (OSError, subprocess.CalledProcessError) as problem:
        said = getattr(problem, "stderr", "") or problem
        pytest.skip(f"SKIP network namespaces: {said}")
    yield made
    made.close()


def test_directions_may_go_dead(net, link):
    server = net("--listen", f"{Link.HERE}:0")
    search = submit(server, server.ids)
    server.workers.start("far", prefix=link.prefix)
    rig.wait_for("the first score over the link", lambda: left(server, search) < COUNT, 60)
    for requests, answers in ((True, False), (False, True), (True, True)):
        link.lose(requests, answers)
        time.sleep(3)  # longer than a lease lives
        link.heal()
    server.workers.start("near")  # what the far one lost hold of may go to another
    check(server, search)
    assert "lease_expired " in server.process.text(), "the test did not bite"


# ---- processes that stop, peers that do not read

def test_a_stopped_coordinator_and_stopped_workers(net, full):
    server = net()
    search = submit(server, server.ids)
    workers = [server.workers.start(name) for name in ("a", "b")]
    rng = random.Random(5)
    for _ in range(12 if full else 4):
        if left(server, search) == 0:
            break
        victim = rng.choice([server.process, *workers])
        victim.child.send_signal(signal.SIGSTOP)
        time.sleep(rng.choice((0.2, 3)))
        victim.child.send_signal(signal.SIGCONT)
        time.sleep(0.3)
    check(server, search)


def test_peers_that_never_read(net):
    server = net()
    done = server.api("GET", "/searches")["items"][0]["id"]
    checkpoint = server.api("GET", "/checkpoints")["items"][0]["blob"]
    host, port = server.url.split("//")[1].split(":")
    peers = []
    for path in [f"blobs/{checkpoint}", f"searches/{done}/export.csv", "events", f"searches/{done}/ranking?limit=1000"] * 25:
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        s.connect((host, int(port)))
        s.sendall(f"GET /api/v1/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token()}\r\n\r\n".encode())
        peers.append(s)
    search = submit(server, server.ids)
    server.workers.start("a")
    check(server, search)
    assert rig.memory_mb(server.process.child.pid) < 256
    for s in peers:
        s.close()
