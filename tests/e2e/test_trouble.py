"""A full disk and a loop that stands still: said clearly while it lasts, nothing lost, all well afterwards."""
import hashlib
import os
import sqlite3
import socket
import subprocess
import threading
import time

import pytest

from cluster import ApiError, Cluster, wait_for
from test_server import PlayedWorker, start_search, store_demo


@pytest.fixture
def small_disk(tmp_path):
    """A coordinator whose data directory is a file system of 24 MB."""
    one = Cluster(tmp_path / "c")
    one.server.data.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(one.server.data)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"SKIP cannot mount a small file system: {mounted.stderr.decode().strip()}")
    try:
        yield one.start().server
    finally:
        one.close()
        subprocess.run(["umount", "-l", str(one.server.data)], check=True)


def fill(path):
    with open(path, "wb", buffering=0) as ballast:
        for size in (1 << 20, 4096):
            try:
                while True:
                    ballast.write(bytes(size))
            except OSError:
                pass


def test_a_full_disk_is_said_and_survived(small_disk):
    server = small_disk
    _, checkpoint, dataset = store_demo(server)
    search = start_search(server, checkpoint, dataset, strategy={"name": "random", "count": 60})["id"]
    worker = PlayedWorker(server)
    lease = wait_for("a job", worker.lease)[0]
    ballast = server.data / "ballast"
    refused = []
    for _ in range(3):
        fill(ballast)
        for _ in range(2):
            with pytest.raises(ApiError) as full:
                for _ in range(200):  # the log may have a little room left
                    assert worker.deliver(lease) in ("stored", "duplicate")
                    server.api("POST", "/tokens", {"role": "read", "name": "x" * 190})
            refused.append(full.value)
            assert full.value.status == 507 and full.value.type == "disk-full" and full.value.problem["retry_s"] > 0
        answer = server.request("PUT", "/blobs/" + "1" * 64, data=b"abc")
        assert answer.status_code == 507
        assert server.api("GET", f"/searches/{search}")["state"] == "running"  # reading goes on
        assert server.request("GET", "/healthz").status_code == 200
        ballast.unlink()
        time.sleep(2.1)
    assert wait_for("room", lambda: worker.deliver(lease)) in ("stored", "duplicate")
    assert worker.finish(search)["state"] == "done"
    assert server.process.running() and server.process.text().count("reload level") >= 1
    server.process.stop()
    db = sqlite3.connect(server.data / "subrank.db")
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert db.execute("SELECT count(*), count(DISTINCT code) FROM candidate WHERE state = 'scored'").fetchone() == (60, 60)
    db.close()


def test_health_fails_when_the_loop_stalled(cluster):
    server = cluster("--stall-s", "1").server
    assert server.request("GET", "/healthz").status_code == 200
    lock = sqlite3.connect(server.data / "subrank.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")  # another writer: the coordinator's next write waits for it
    began = time.monotonic()
    try:
        with pytest.raises(ApiError) as refused:
            PlayedWorker(server)
        assert refused.value.status == 503 and refused.value.type == "busy"
    finally:
        lock.execute("ROLLBACK")
        lock.close()
    assert time.monotonic() - began > 1
    server.process.wait_event("loop_stalled")
    sick = server.request("GET", "/healthz")
    assert sick.status_code == 503 and "stood still" in sick.json()["detail"]
    assert PlayedWorker(server).id > 0
    assert os.path.exists(f"/proc/{server.process.child.pid}")


def resident(server):
    text = open(f"/proc/{server.process.child.pid}/status").read()
    return int(text.split("VmRSS:")[1].split()[0]) * 1024


def test_large_bodies_at_once_are_bounded(cluster):
    server = cluster().server
    host, port = server.url.split("//")[1].split(":")
    before, socks = resident(server), []
    head = (f"POST /api/v1/searches HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token()}\r\n"
            "Content-Type: application/json\r\nContent-Length: 60000000\r\n\r\n").encode()
    refused = 0
    for _ in range(8):
        sock = socket.create_connection((host, int(port)))
        socks.append(sock)
        sock.settimeout(30)
        sock.sendall(head)
        for _ in range(40):
            sock.sendall(b" " * 1_000_000)
    assert PlayedWorker(server).id > 0  # small ones go on
    assert resident(server) - before < 300 << 20
    for sock in reversed(socks):
        for _ in range(20):
            sock.sendall(b" " * 1_000_000)
        refused += b" 503 " in sock.recv(4096)
    assert refused == 4
    for sock in socks:
        sock.close()
    wait_for("the memory to come back", lambda: "subrank_body_bytes 0" in server.request("GET", "/metrics").text)


def test_many_downloads_leave_room_for_beats(cluster):
    server = cluster().server
    data = os.urandom(16 << 20)
    sha = server.upload(data)
    worker = PlayedWorker(server)
    wrong, done, ended = [], [], threading.Event()

    def download():
        while not ended.is_set():
            if hashlib.sha256(server.request("GET", f"/blobs/{sha}", token=worker.key).content).hexdigest() != sha:
                wrong.append(1)
            done.append(1)
    threads = [threading.Thread(target=download) for _ in range(24)]
    for thread in threads:
        thread.start()
    passed = []  # downloads that ended while a beat waited for its answer
    try:
        for _ in range(60):
            before = len(done)
            worker.beat()
            passed.append(len(done) - before)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert done and not wrong and sorted(passed)[len(passed) // 2] < len(threads), sorted(passed)
