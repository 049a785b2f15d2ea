"""HTTP at its edges: what a broken, slow or hostile client may send, byte by byte. Whatever it is, the coordinator answers
or closes within its patience, stays alive, and serves the next client."""
import json
import os
import random
import socket
import threading
import time

import pytest
import requests

from attack import Site
from cluster import ROOT, Cluster, wait_for

PATIENCE = 1.5


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    one = Cluster(tmp_path_factory.mktemp("http"), "--patience-s", str(PATIENCE), "--sweep-s", "0.3", "--max-connections", "40")
    one.start()
    try:
        made = Site(one.server)
        yield made
        made.intact()
        assert one.server.process.stop() == 0, one.server.process.text()[-3000:]
    finally:
        one.close()


@pytest.fixture(autouse=True)
def unharmed(site):
    yield
    site.works()


def connect(site):
    sock = socket.create_connection(("127.0.0.1", site.server.port), timeout=60)
    sock.settimeout(60)
    return sock


def read_all(sock):
    """Everything until the other side closes."""
    got = b""
    try:
        while True:
            piece = sock.recv(65536)
            if not piece:
                return got
            got += piece
    except ConnectionResetError:
        return got


def talk(site, data, close=False):
    with connect(site) as sock:
        try:
            sock.sendall(data)
            if close:
                sock.shutdown(socket.SHUT_WR)
        except OSError:  # it was closed before all was sent
            pass
        return read_all(sock)


def head(site, line, *fields, token=True):
    lines = [line, "Host: x", *fields] + ([f"Authorization: Bearer {site.server.token()}"] if token else [])
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def status(raw):
    return int(raw.split(b" ", 2)[1]) if raw.startswith(b"HTTP/") else 0


def test_garbage_is_answered_or_closed(site):
    rng = random.Random(1)
    for data in (b"\r\n\r\n", b"\0" * 100, b"GET\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0" + bytes(100),
                 b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost x\r\n\r\n", b"GET / HTTP/1.1\r\n: x\r\n\r\n", b"G" * 100000,
                 b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", b"GET  /  HTTP/1.1\r\nHost: x\r\n\r\n",
                 *(bytes(rng.randrange(256) for _ in range(300)) for _ in range(20))):
        answer = talk(site, data, close=True)
        assert answer == b"" or status(answer) in (200, 400, 401, 404, 405, 413, 414, 431, 501, 505), (data[:40], answer[:80])


def test_oversized_heads_are_refused(site):
    for raw in (b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", head(site, "GET /api/v1/searches HTTP/1.1", "X-Long: " + "x" * 100000),
                head(site, "GET /api/v1/searches HTTP/1.1", *[f"X-{i}: y" for i in range(5000)]),
                head(site, "GET /api/v1/searches?limit=" + "1" * 60000 + " HTTP/1.1")):
        answer = talk(site, raw)
        assert status(answer) in (0, 400, 413, 414, 431), answer[:100]


def test_many_cookies_and_query_parameters(site):
    cookies = "; ".join(f"c{i}=v" for i in range(200))
    assert status(talk(site, head(site, "GET /api/v1/searches HTTP/1.1", f"Cookie: {cookies}", "Connection: close"))) in (0, 200, 431)
    query = "&".join(f"limit={i}" for i in range(500))
    assert status(talk(site, head(site, f"GET /api/v1/searches?{query} HTTP/1.1", "Connection: close"))) in (0, 422, 431)


@pytest.mark.parametrize("query", ["q=%zz", "q=%", "q=%4", "limit=%00", "q=%00", "%71=1%"])
def test_broken_escapes(site, query):
    answer = talk(site, head(site, f"GET /api/v1/searches/1/ranking?{query} HTTP/1.1", "Connection: close"))
    assert status(answer) in (400, 404, 422) and b"application/problem+json" in answer
    assert b'"where"' in answer


def test_bodies_longer_than_allowed_are_refused_before_they_are_read(site):
    answer = talk(site, head(site, "POST /api/v1/tokens HTTP/1.1", "Content-Length: 99999999999", "Content-Type: application/json") + b"{")
    assert status(answer) == 413
    answer = talk(site, head(site, "POST /api/v1/tokens HTTP/1.1", "Content-Length: 99999999999999999999999") + b"{")
    assert status(answer) in (400, 413), answer[:100]
    for length in ("-1", "abc", "1 2", "0x10", ""):
        answer = talk(site, head(site, "POST /api/v1/tokens HTTP/1.1", f"Content-Length: {length}") + b"{}", close=True)
        assert status(answer) in (0, 400, 413, 422), (length, answer[:100])


def test_a_chunked_body_has_the_same_limit(site):
    def chunks(n):
        return b"".join(b"1000\r\n" + b"x" * 4096 + b"\r\n" for _ in range(n)) + b"0\r\n\r\n"
    start = head(site, "POST /api/v1/tokens HTTP/1.1", "Transfer-Encoding: chunked", "Connection: close")
    assert status(talk(site, start + chunks(20))) == 413
    assert status(talk(site, start + b'1c\r\n{"role":"king","name":"abc"}\r\n0\r\n\r\n')) == 422
    assert status(talk(site, start + b"zz\r\n", close=True)) in (0, 400)
    assert status(talk(site, start + b"ffffffffffffffffff\r\n", close=True)) in (0, 400, 413)


def test_a_body_shorter_than_promised_changes_nothing(site):
    before = site.stored()
    body = json.dumps({"role": "read", "name": "cut"}).encode()
    answer = talk(site, head(site, "POST /api/v1/tokens HTTP/1.1", f"Content-Length: {len(body) + 1}") + body, close=True)
    assert status(answer) in (0, 400)
    assert site.stored() == before


def test_length_and_chunks_together_are_not_smuggled(site):
    """Two requests for one reader, one for the other: the second must not be executed by both readings."""
    inner = head(site, "POST /api/v1/tokens HTTP/1.1", "Content-Length: 0")
    raw = head(site, "GET /api/v1/version HTTP/1.1", "Content-Length: 5", "Transfer-Encoding: chunked", "Connection: close") + b"0\r\n\r\n" + inner
    answer = talk(site, raw, close=True)
    assert answer.count(b"HTTP/1.1 ") <= 2
    assert b'"secret"' not in answer


def test_pipelined_requests_are_answered_in_order(site):
    one = head(site, "GET /api/v1/version HTTP/1.1")
    two = head(site, "GET /api/v1/nothing HTTP/1.1")
    three = head(site, "POST /api/v1/tokens HTTP/1.1", "Content-Length: 2") + b"{}"
    last = head(site, "GET /healthz HTTP/1.1", "Connection: close")
    answer = talk(site, one + two + three + last)
    found = [int(p[:3]) for p in answer.split(b"HTTP/1.1 ")[1:]]
    assert found == [200, 404, 422, 200]


def test_http_1_0(site):
    answer = talk(site, b"GET /healthz HTTP/1.0\r\n\r\n")
    assert status(answer) == 200 and b'"ok"' in answer


@pytest.mark.parametrize("method", ["BREW", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "PATCH", "get"])
def test_other_methods(site, method):
    answer = talk(site, head(site, f"{method} /api/v1/version HTTP/1.1", "Connection: close"))
    assert status(answer) == 405 and b"Allow: GET, HEAD\r\n" in answer, answer[:200]


def test_head_on_everything(site):
    contract = requests.get(site.server.url + "/openapi.json", timeout=30).json()
    paths = [p for p, item in contract["paths"].items() if "get" in item]
    assert len(paths) > 25
    for path in paths:
        concrete = path.replace("{sha256}", site.blob).replace("{code}", "012012").replace("{id}", "1")
        token = site.server.token()
        answer = requests.head(site.server.url + concrete, headers={"Authorization": f"Bearer {token}"}, timeout=30)
        assert answer.status_code < 500 and answer.status_code != 405 and answer.content == b"", (concrete, answer.status_code)
        if path == "/api/v1/events":
            assert answer.status_code == 200
        else:
            full = requests.get(site.server.url + concrete, headers={"Authorization": f"Bearer {token}"}, timeout=30)
            assert full.status_code == answer.status_code, (concrete, answer.status_code, full.status_code)


@pytest.mark.parametrize("path", ["/../../../../etc/passwd", "/assets/../../../../etc/passwd", "/..%2f..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd",
                                  "//etc/passwd", "/.git/config", "/assets/.hidden", "/a\\..\\b.js", "/etc/passwd.txt", "/./index.html",
                                  "/index.html%00.js", "/assets//x.js", "/...", "/assets/" + "a/" * 2000 + "x.js"])
def test_static_paths_never_leave_the_folder(site, path):
    answer = talk(site, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert b"root:" not in answer and b"[core]" not in answer
    assert status(answer) in (404, 400, 414, 431), answer[:200]


def test_slow_heads_are_cut_off(site):
    """A byte every now and then is never silence; the patience ends it all the same."""
    with connect(site) as sock:
        began = time.monotonic()
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for byte in b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 1000:
                sock.sendall(bytes((byte,)))
                time.sleep(0.1)
        assert time.monotonic() - began < PATIENCE + 60


def test_slow_bodies_are_cut_off(site):
    with connect(site) as sock:
        sock.sendall(head(site, "POST /api/v1/tokens HTTP/1.1", "Content-Length: 1000"))
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(150):
                sock.sendall(b" ")
                time.sleep(0.1)


def test_slow_uploads_go_on_while_they_move(site):
    import hashlib
    data = os.urandom(48_000)
    sha = hashlib.sha256(data).hexdigest()
    with connect(site) as sock:
        sock.sendall(head(site, f"PUT /api/v1/blobs/{sha} HTTP/1.1", f"Content-Length: {len(data)}", "Connection: close"))
        for i in range(0, len(data), 1600):  # 16 kB/s, three times as long as the patience
            sock.sendall(data[i:i + 1600])
            time.sleep(0.1)
        assert status(read_all(sock)) == 201


def test_a_crowd_of_idle_connections_does_not_shut_others_out(site):
    crowd = []
    try:
        for _ in range(80):  # twice as many as are held
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", site.server.port))
            crowd.append(sock)
        assert requests.get(site.server.url + "/healthz", timeout=60).status_code == 200
    finally:
        for sock in crowd:
            sock.close()


def test_clients_that_go_away_in_the_middle(site):
    rng = random.Random(5)
    body = json.dumps({"code": "012012"}).encode()
    raw = head(site, f"POST /api/v1/spaces/{site.space}/plan HTTP/1.1", f"Content-Length: {len(body)}") + body
    get = head(site, f"GET /api/v1/blobs/{site.blob} HTTP/1.1")
    for _ in range(60):
        with connect(site) as sock:
            what = rng.choice((raw, get))
            sock.sendall(what[:rng.randrange(1, len(what) + 1)])
            if rng.random() < 0.5:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # RST


def test_viewers_that_never_read_are_dropped(site):
    """Streams whose client sleeps: events for it pile up to a limit only, and the others are served."""
    socks = [connect(site) for _ in range(5)]
    try:
        for sock in socks:
            sock.sendall(head(site, "GET /api/v1/events HTTP/1.1"))
        threads = [threading.Thread(target=lambda: [site.works() for _ in range(5)]) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    finally:
        for sock in socks:
            sock.close()


@pytest.mark.parametrize("id", ["abc", "-1", "9" * 30, "0x10", "", "1 2"])
def test_last_event_ids_that_are_none(site, id):
    answer = talk(site, head(site, "GET /api/v1/events HTTP/1.1", f"Last-Event-ID: {id}", "Connection: close"), close=True) if id.strip() else None
    if answer is not None:
        assert status(answer) == 422 and b"Last-Event-ID" in answer, answer[:300]


@pytest.mark.parametrize("range, want", [("bytes=0-9", 206), ("bytes=-10", 206), ("bytes=5-", 206), ("bytes=9-5", 200), ("bytes=99999999-", 416),
                                         ("bytes=0-1,3-4", 200), ("bytes=a-b", 200), ("bytes=-0", 200), ("bytes=99999999999999999999-", 200), ("lines=1-2", 200)])
def test_ranges(site, range, want):
    answer = site.server.request("GET", f"/blobs/{site.blob}", headers={"Range": range})
    assert answer.status_code in (want, 416 if want == 200 else want), (range, answer.status_code)
    whole = (ROOT / "deploy" / "demo" / "supernet.pth").read_bytes()
    if answer.status_code == 200:
        assert answer.content == whole
    if answer.status_code == 206:
        assert answer.content in (whole[:10], whole[-10:], whole[5:])
