"""What the tests that attack share: a coordinator with the demo's supernet on it, what is stored there, and the check
that an attack changed nothing: same answers, same rows, same process, and a good request still works."""
import json
import sqlite3
import struct

import pytest

from cluster import ROOT, ApiError, Cluster

DEMO = ROOT / "deploy" / "demo"
CODE = "012012"
BAD_FILE = ("corrupt", "unsupported", "invalid", "too-large")  # types of problems with what was uploaded
LISTS = ("spaces", "checkpoints", "datasets", "searches", "workers", "tokens")
TABLES = ("space", "checkpoint", "dataset", "dataset_blob", "search", "candidate", "job", "lease", "worker", "truth", "token")


class Site:
    """A coordinator that holds the demo's space, checkpoint and data set."""

    def __init__(self, server):
        self.server = server
        self.document = json.loads((DEMO / "space.json").read_text())
        self.dataset_body = json.loads((DEMO / "dataset.json").read_text())
        for file in DEMO.glob("*.gz"):
            server.upload(file)
        self.blob = server.upload(DEMO / "supernet.pth")
        self.space = server.api("POST", "/spaces", {"name": "demo", "document": self.document})["id"]
        self.checkpoint = server.api("POST", "/checkpoints", {"name": "demo", "blob": self.blob, "space": self.space})["id"]
        self.dataset = server.api("POST", "/datasets", self.dataset_body)["id"]

    def search_body(self, **more):
        return {"name": "s", "checkpoint": self.checkpoint, "dataset": self.dataset,
                "strategy": {"name": "list", "codes": [CODE]},
                "policy": {"average": "cumulative", "batches": 1, "batch_size": 16, "split": "train"},
                "evaluation": {"split": "val", "images": 50, "batch_size": 50}, **more}

    def stored(self):
        """Every list and every record by REST, and every row count by SQL."""
        seen = {}
        for name in LISTS:
            items = self.server.api("GET", f"/{name}")["items"]
            seen[name] = items
            if name not in ("tokens", "workers"):
                seen[name + " alone"] = [self.server.api("GET", f"/{name}/{i['id']}") for i in items]
        for workers in (seen["workers"],):
            for w in workers:
                w.pop("seen", None)
        db = sqlite3.connect(f"file:{self.server.data / 'subrank.db'}?mode=ro", uri=True)
        try:
            seen["rows"] = {t: db.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in TABLES}
        finally:
            db.close()
        return seen

    def works(self):
        """A good request of every kind that the attacks aim at."""
        assert self.server.process.running(), self.server.process.text()[-3000:]
        assert self.server.api("GET", "/healthz")["status"] == "ok"
        assert self.server.api("POST", f"/spaces/{self.space}/plan", {"code": CODE})["macs"] > 0

    def intact(self):
        """The database file itself is sound."""
        db = sqlite3.connect(f"file:{self.server.data / 'subrank.db'}?mode=ro", uri=True)
        try:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        finally:
            db.close()


class Harmless:
    """with Harmless(site): whatever happens inside leaves nothing behind."""

    def __init__(self, site):
        self.site = site

    def __enter__(self):
        self.before = self.site.stored()

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.site.works()
            assert self.site.stored() == self.before


def refused(call, status=None, types=(), where=None, says=None):
    """Runs call, which must raise ApiError as described; returns it."""
    try:
        got = call()
    except ApiError as e:
        assert status is None or e.status == status, e
        assert not types or e.type in ([types] if isinstance(types, str) else types), e
        assert {"type", "title", "status", "detail"} <= set(e.problem) and e.problem["status"] == e.status, e
        assert e.problem["detail"], e
        if where is not None:
            assert where in (e.where or ""), e
        if says is not None:
            assert says in e.problem["detail"], e
        return e
    raise AssertionError(f"not refused: {json.dumps(got)[:500]}")


def safetensors(tensors, header=None):
    """{name: (dtype, shape, bytes)} as a safetensors file; `header` replaces the JSON text."""
    about, data = {}, b""
    for name, (dtype, shape, raw) in tensors.items():
        about[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(about).encode() if header is None else header
    return struct.pack("<Q", len(text)) + text + data


def idx(shape, raw, kind=8):
    return struct.pack(">HBB", 0, kind, len(shape)) + b"".join(struct.pack(">I", n) for n in shape) + raw


def data(site, splits, format="idx", **more):
    return site.server.api("POST", "/datasets", {"name": "bad", "format": format, "splits": splits, **more})


def pair(site, images, labels):
    return {"val": [{"blob": site.server.upload(images), "labels": site.server.upload(labels)}]}


# Fixtures for a file of bad input: one coordinator for all its tests, so that they stand on each other's ruins.

@pytest.fixture(scope="module")
def site(tmp_path_factory):
    one = Cluster(tmp_path_factory.mktemp("bad"))
    one.start()
    try:
        made = Site(one.server)
        yield made
        made.intact()
        assert one.server.process.stop() == 0, one.server.process.text()[-3000:]  # a leak would show here under LSan
    finally:
        one.close()


@pytest.fixture(autouse=True)
def harmless(site):
    with Harmless(site):
        yield
