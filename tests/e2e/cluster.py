"""Starts real coordinators and workers for the system tests, and talks to them over HTTP.

Everything lives in the directory it is given, or in a temporary one; only processes started here are ever stopped. Nothing waits for a fixed
time: waits poll a condition until a deadline and then fail with what they saw.
"""
import hashlib
import json
import os
import pathlib
import select
import signal
import subprocess
import tempfile
import time

import requests

import contract

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SUBRANK_BUILD", ROOT / "build" / "release"))
SHARED = pathlib.Path(os.environ.get("SUBRANK_SHARED", ROOT.parent / "shared"))
PIECE = 4 << 20


class ApiError(Exception):
    """A problem document: status, type, where and detail."""

    def __init__(self, status, problem):
        super().__init__(f"{status} {problem}")
        self.status, self.problem = status, problem
        self.type, self.where = problem.get("type"), problem.get("where", "")


def wait_for(what, condition, seconds=120, every=0.05):
    """The first true value of condition(); fails naming `what` after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(every)


class Process:
    """A child whose standard error goes to a file that can be searched for events."""

    def __init__(self, argv, log, env=None, **popen):
        self.log = pathlib.Path(log)
        self.err = open(self.log, "ab")
        self.child = subprocess.Popen([str(a) for a in argv], stderr=self.err, env={**os.environ, **(env or {})}, **popen)

    def running(self):
        return self.child.poll() is None

    def stop(self, sig=signal.SIGTERM, seconds=120):
        """Ends the process and returns its exit status."""
        if self.running():
            self.child.send_signal(sig)
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError(f"did not stop within {seconds} s; log:\n{self.text()[-3000:]}")
        finally:
            self.err.close()

    def kill(self):
        return self.stop(signal.SIGKILL)

    def text(self):
        return self.log.read_text(errors="replace")

    def wait_event(self, event, seconds=120, count=1):
        """Waits until the log holds the event `count` times."""
        def seen():
            return sum(line.split(" ", 1)[0] == event for line in self.text().splitlines()) >= count
        return wait_for(f"event {event} in {self.log.name}", seen, seconds)


class Coordinator:
    def __init__(self, dir=None, *options):
        """Without a directory it gets one of its own, which close() removes."""
        self.home = None if dir else tempfile.TemporaryDirectory(prefix="subrank-")
        self.dir, self.options = pathlib.Path(dir or self.home.name), options
        self.data = self.dir / "data"
        self.url, self.process, self.port = None, None, 0

    def start(self, *options):
        """Starts subrankd (again on the same port after a stop) and waits for its ready line."""
        argv = [BUILD / "subrankd", "--data", self.data, "--listen", f"127.0.0.1:{self.port}",
                *self.options, *options]
        self.process = Process(argv, self.dir / "subrankd.log", stdout=subprocess.PIPE, text=True)
        ok, _, _ = select.select([self.process.child.stdout], [], [], 120)
        line = self.process.child.stdout.readline() if ok else ""
        assert line.startswith("ready "), f"no ready line, got {line!r}; log:\n{self.process.text()[-3000:]}"
        self.url = line.split()[1]
        self.port = int(self.url.rsplit(":", 1)[1])
        return self

    def close(self):
        if self.process and self.process.running():
            self.process.kill()
        if self.home:
            self.home.cleanup()

    def token(self, role="admin"):
        return (self.data / f"{role}.token").read_text().strip()

    def request(self, method, path, token=None, **kwargs):
        headers = {"Authorization": f"Bearer {token or self.token()}", **kwargs.pop("headers", {})}
        url = self.url + (path if path.startswith(("/api/", "/metrics", "/healthz", "/openapi")) else "/api/v1" + path)
        answer = requests.request(method, url, headers=headers, timeout=60, **kwargs)
        if not kwargs.get("stream"):
            contract.check(method, url[len(self.url):].split("?")[0], answer.status_code,
                           answer.headers.get("Content-Type", ""), answer.content)
        return answer

    def api(self, method, path, body=None, **kwargs):
        """The JSON answer (None for an empty one); raises ApiError for a problem document."""
        if body is not None:
            kwargs["json"] = body
        answer = self.request(method, path, **kwargs)
        if answer.status_code >= 400:
            try:
                problem = answer.json()
            except ValueError:
                problem = {"detail": answer.text[:500]}
            raise ApiError(answer.status_code, problem)
        return answer.json() if answer.content else None

    def call(self, method, path, body=None, token=None):
        """The status and the document, whatever the answer is."""
        answer = self.request(method, path, token, **({} if body is None else {"json": body}))
        return answer.status_code, answer.json() if answer.content else None

    def upload(self, path):
        """Stores a file (or bytes) as a blob in pieces, resuming where the coordinator has it; returns the hash."""
        data = path if isinstance(path, bytes) else pathlib.Path(path).read_bytes()
        sha = hashlib.sha256(data).hexdigest()
        head = self.request("HEAD", f"/blobs/{sha}")
        at = len(data) if head.status_code == 200 else int(head.headers.get("Upload-Length", 0))
        while at < len(data):
            piece = data[at:at + PIECE]
            answer = self.request("PUT", f"/blobs/{sha}", data=piece, headers={
                "Content-Range": f"bytes {at}-{at + len(piece) - 1}/{len(data)}",
                "Content-Type": "application/octet-stream"})
            assert answer.status_code in (201, 202), answer.text
            at += len(piece)
        return sha

    def wait_search(self, search, seconds=600):
        """Waits until a search has ended and returns it."""
        def ended():
            doc = self.api("GET", f"/searches/{search}")
            return doc if doc["state"] in ("done", "failed", "cancelled") else None
        return wait_for(f"search {search} to end", ended, seconds, 0.2)

    def ranking(self, search, **query):
        """Every row of a search's ranking, page by page."""
        rows, after = [], None
        while True:
            page = self.api("GET", f"/searches/{search}/ranking",
                            params={"limit": 1000, **query, **({"after": after} if after else {})})
            rows += page["items"]
            after = page.get("next")
            if not after:
                return rows


def dashboard(*options):
    """A started coordinator in a directory of its own, which serves webui/dist."""
    return Coordinator(None, "--webui", ROOT / "webui" / "dist", *options).start()


class Cluster:
    """One coordinator and any number of workers in its directory."""

    def __init__(self, dir=None, *options):
        self.server = Coordinator(dir, *options)
        self.dir = self.server.dir
        self.workers = {}

    def start(self, workers=0):
        self.server.start()
        for i in range(workers):
            self.worker(f"w{i}")
        return self

    def worker(self, name, threads=1, **env):
        """Starts (or starts again) the worker `name` with its own state directory and a shared cache."""
        settings = {
            "SUBRANK_SERVER": self.server.url,
            "SUBRANK_JOIN_TOKEN_FILE": str(self.server.data / "join.token"),
            "SUBRANK_STATE_DIR": str(self.dir / f"state-{name}"),
            "SUBRANK_CACHE_DIR": str(self.dir / "cache"),
            "SUBRANK_NAME": name, "SUBRANK_THREADS": str(threads), "SUBRANK_MEMORY": "2G", **env}
        self.workers[name] = Process([BUILD / "subrank-worker"], self.dir / f"{name}.log", settings)
        return self.workers[name]

    def close(self):
        for process in list(self.workers.values()):
            if process.running():
                process.kill()
        self.server.close()


def space_document(name):
    return json.loads((ROOT / "proto" / "spaces" / f"{name}.json").read_text())


def store_demo(server):
    """Uploads the demo's supernet with its images; returns the ids (space, checkpoint, dataset)."""
    folder = ROOT / "deploy" / "demo"
    for name in ("train-images.idx.gz", "train-labels.idx.gz", "val-images.idx.gz", "val-labels.idx.gz"):
        server.upload(folder / name)
    document = json.loads((folder / "space.json").read_text())
    space = server.api("POST", "/spaces", {"name": "demo", "document": document})
    checkpoint = server.api("POST", "/checkpoints", {
        "name": "demo", "blob": server.upload(folder / "supernet.pth"), "space": space["id"]})
    dataset = server.api("POST", "/datasets", json.loads((folder / "dataset.json").read_text()))
    return space["id"], checkpoint["id"], dataset["id"]


def store_macro(server):
    """Uploads the NAS-Bench-Macro supernet with its images; returns the ids (space, checkpoint, dataset)."""
    folder = SHARED / "data" / "weights" / "macro_supernet"
    space = server.api("POST", "/spaces", {"name": "macro", "document": space_document("nas-bench-macro")})
    checkpoint = server.api("POST", "/checkpoints", {
        "name": "macro", "blob": server.upload(folder / "macro.pth"), "space": space["id"]})
    dataset = server.api("POST", "/datasets", {
        "name": "cifar10", "format": "cifar",
        "splits": {"train": [{"blob": server.upload(folder / "calib.bin")}],
                   "val": [{"blob": server.upload(folder / "val.bin")}]},
        "mean": [0.4914, 0.4822, 0.4465], "std": [0.2470, 0.2435, 0.2616]})
    return space["id"], checkpoint["id"], dataset["id"]
