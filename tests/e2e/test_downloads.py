"""A new checkpoint and two hundred workers: each downloads as fast as a client may and no faster, and beats are answered
meanwhile."""
import concurrent.futures
import hashlib
import random
import signal
import socket
import time

WORKERS, SIZE, RATE = 200, 3_000_000, 300_000
CATCH_UP_S = 0.1 + 2 * 256 * 1024 / RATE  # two chunks come before the first wait


def join(server, n):
    return [server.api("POST", "/workers", {"protocol": 1, "name": f"w{i}"}, token=server.token("join"))["key"]
            for i in range(n)]


def ask(server, sha, key):
    host, port = server.url.split("//")[1].split(":")
    s = socket.create_connection((host, int(port)), timeout=120)
    s.sendall(f"GET /api/v1/blobs/{sha} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
    return s


def read_all(s):
    """(seconds until the last byte, sha256 of the body)"""
    began, data = time.monotonic(), b""
    while b"\r\n\r\n" not in data:
        data += s.recv(65536)
    head, body = data.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200"), head
    digest, got = hashlib.sha256(body), len(body)
    while got < SIZE:
        piece = s.recv(1 << 20)
        assert piece, f"cut after {got} bytes"
        digest.update(piece)
        got += len(piece)
    return time.monotonic() - began, digest.hexdigest()


def test_downloads_are_paced_and_beats_go_on(cluster):
    server = cluster("--download-mb-s", str(RATE / 1e6)).server
    sha = server.upload(random.Random(1).randbytes(SIZE))
    keys = join(server, WORKERS)
    sockets = [ask(server, sha, key) for key in keys]
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        downloads = [pool.submit(read_all, s) for s in sockets]
        for key in keys[:50]:
            answer = server.api("POST", "/beats", {"protocol": 1, "held": []}, token=key)
            assert answer["gone"] == []
        unfinished = sum(not d.done() for d in downloads)
        for d in downloads:
            seconds, digest = d.result()
            assert digest == sha
            assert seconds >= SIZE / RATE - CATCH_UP_S, f"{SIZE} bytes in {seconds:.1f} s"
    assert unfinished == WORKERS  # all of them were under way while the beats were answered
    for s in sockets:
        s.close()


def test_a_stop_does_not_wait_for_downloads(cluster):
    one = cluster("--download-mb-s", "0.01")  # half a minute for a chunk: they wait when the stop comes
    sha = one.server.upload(random.Random(2).randbytes(SIZE))
    sockets = [ask(one.server, sha, key) for key in join(one.server, 20)]
    for s in sockets:
        assert s.recv(1000).startswith(b"HTTP/1.1 200")
    assert one.server.process.stop(signal.SIGTERM) == 0
    assert "stop_forced " not in one.server.process.text()
    for s in sockets:
        s.close()
