"""Bad input that reaches a worker, and a coordinator without room: a blob damaged in the cache while it is used, a data set
that vanished between lease and fetch, weights that only fail when computed, a disk that is full."""
import os
import resource
import shutil
import subprocess

import pytest

from attack import DEMO, Harmless, Site, refused
from cluster import BUILD, Cluster, Process

QUICK = ("--beat-s", "0.5", "--expiry-s", "3", "--sweep-s", "0.2", "--job-s", "2")


@pytest.fixture
def one(tmp_path):
    made = Cluster(tmp_path, *QUICK)
    made.start()
    yield made
    made.close()


def codes(n):
    return [f"{i:06d}" for i in range(1000000) if set(str(f"{i:06d}")) <= set("012")][:n]


def test_a_blob_damaged_in_the_cache_is_not_scored_with(one):
    """Every file of the cache is overwritten while the worker is away; the scores are those of an undamaged run."""
    site = Site(one.server)
    w = one.worker("w0")
    search = lambda: one.server.api("POST", "/searches", site.search_body(strategy={"name": "list", "codes": codes(4)}))["id"]
    first = search()
    assert one.server.wait_search(first, 120)["progress"]["scored"] == 4
    assert w.stop() == 0
    for file in (one.dir / "cache").iterdir():
        size = file.stat().st_size
        file.write_bytes(os.urandom(size) if size % 2 else b"\0" * (size // 2))  # same length, or cut
    one.worker("w0")
    second = search()
    assert one.server.wait_search(second, 120)["progress"]["scored"] == 4
    keep = lambda s: sorted((r["code"], r["n_correct"], r["loss"]) for r in one.server.ranking(s))
    assert keep(first) == keep(second)
    assert one.workers["w0"].stop() == 0


def test_a_data_set_that_vanished_fails_the_job_and_not_the_worker(one):
    """The blob's bytes go behind the coordinator's back, after the search was made."""
    import sqlite3
    site = Site(one.server)
    search = one.server.api("POST", "/searches", site.search_body())["id"]
    with sqlite3.connect(one.server.data / "subrank.db") as db:
        db.execute("PRAGMA foreign_keys = OFF")
        gone = site.dataset_body["splits"]["val"][0]["blob"]
        db.execute("DELETE FROM chunk WHERE blob = (SELECT id FROM blob WHERE hash = ?)", (gone,))
        db.execute("DELETE FROM blob WHERE hash = ?", (gone,))
    db.close()
    w = one.worker("w0")
    w.wait_event("job_leased")
    failed = one.server.wait_search(search, 60)
    assert failed["state"] == "failed" and failed["error"]["detail"], failed
    assert gone in str(failed["error"]), failed["error"]
    assert w.running() and one.server.process.running()
    good = Site.__new__(Site)  # the worker still serves a sound search
    good.__dict__.update(site.__dict__)
    body = dict(site.dataset_body)
    body["splits"] = {"train": body["splits"]["train"], "val": body["splits"]["train"]}
    good.dataset = one.server.api("POST", "/datasets", body)["id"]
    assert one.server.wait_search(one.server.api("POST", "/searches", good.search_body())["id"], 120)["progress"]["scored"] == 1
    assert w.stop() == 0


# ---- no room

def full_process(cluster, limit):
    """Starts the coordinator again with every file limited to `limit` bytes: writes beyond it fail as on a full disk."""
    server = cluster.server
    server.process.stop()
    argv = [BUILD / "subrankd", "--data", server.data, "--listen", f"127.0.0.1:{server.port}", *QUICK]
    server.process = Process(argv, server.dir / "full.log", stdout=subprocess.PIPE, text=True,
                             preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY)))
    assert server.process.child.stdout.readline().startswith("ready"), server.process.text()


def upload_until_refused(server, pieces=80):
    sha = "ab" * 32
    total = pieces << 20
    for i in range(pieces):
        answer = server.request("PUT", f"/blobs/{sha}", data=os.urandom(1 << 20), headers={
            "Content-Range": f"bytes {i << 20}-{((i + 1) << 20) - 1}/{total}"})
        if answer.status_code != 202:
            return answer
    raise AssertionError("never refused")


def sound_after(server, site):
    site.works()
    site.intact()
    assert server.api("GET", f"/checkpoints/{site.checkpoint}")["blob"] == site.blob
    assert server.request("GET", f"/blobs/{site.blob}").content == (DEMO / "supernet.pth").read_bytes()


def test_files_that_may_not_grow(one):
    site = Site(one.server)
    size = (one.server.data / "subrank.db").stat().st_size
    full_process(one, size + (8 << 20))
    with Harmless(site):
        answer = upload_until_refused(one.server)
        assert answer.status_code in (500, 507) and answer.json()["type"] in ("disk-full", "io"), answer.text
        assert answer.json()["retry_s"] > 0
        sound_after(one.server, site)
    one.server.process.stop()
    one.server.start()  # room again
    sound_after(one.server, site)
    assert one.server.upload(b"after") is not None


def test_a_full_disk(tmp_path):
    """A real file system without room: a small tmpfs, where we may mount one."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("SKIP mounting a small tmpfs needs root")
    one = Cluster(tmp_path, *QUICK)
    one.server.data.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=700", "tmpfs", one.server.data], capture_output=True).returncode:
        pytest.skip("SKIP mount refused")
    try:
        server = one.start().server
        site = Site(server)
        with Harmless(site):
            answer = upload_until_refused(server)
            assert answer.status_code == 507 and answer.json()["type"] == "disk-full", answer.text
            for _ in range(3):  # everything that writes is refused politely
                error = refused(lambda: server.api("POST", "/spaces", {"name": "x" * 200, "document": site.document | {"about": "x" * 200000}}))
                assert error.status in (503, 507) and error.type in ("disk-full", "busy"), error
            sound_after(server, site)
        server.process.kill()
        server.start()
        sound_after(server, site)
        assert server.process.stop() == 0
    finally:
        one.close()
        subprocess.run(["umount", "-l", one.server.data], capture_output=True)


def test_a_full_disk_at_the_first_start_is_said(tmp_path):
    run = subprocess.run([BUILD / "subrankd", "--data", tmp_path / "d", "--listen", "127.0.0.1:0"], capture_output=True, text=True, timeout=60,
                         preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192)))
    assert run.returncode == 1 and run.stderr.strip().splitlines()[-1].startswith("subrankd: "), run.stderr
