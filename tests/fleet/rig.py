"""What load and torture tests share: a coordinator with something to search, the simulated fleet, the ledger's check.

The fleet's scores are a function of lease and code, and their digest is the lease: the database says by itself whose
result it holds, and `check` compares that with what was acknowledged.
"""
import json
import pathlib
import select
import sqlite3
import struct
import subprocess
import sys
import time
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "e2e"), str(ROOT / "tests" / "bench")]

from cluster import BUILD, Coordinator, wait_for  # noqa: E402, F401

SIM = BUILD / "fleet-sim"
LAYERS, WIDTH, KERNELS, IMAGES = 12, 8, (1, 3, 5, 7), 100


def safetensors(tensors):
    """Bytes of a safetensors file of zeros: {name: (dtype, shape)}."""
    sizes, head, at = {"F32": 4, "I64": 8, "U8": 1}, {}, 0
    for name, (dtype, shape) in tensors.items():
        n = sizes[dtype]
        for s in shape:
            n *= s
        head[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + n]}
        at += n
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + bytes(at)


def small_space():
    """Twelve layers of four kernels: 16.7 million architectures over a checkpoint of 300 KB."""
    return {"space": 1, "name": "fleet", "input": [3, 16, 16],
            "decisions": {"layer": {"count": LAYERS, "of": [f"k{k}" for k in KERNELS]}}, "code": "digits",
            "modules": {"unit": {"args": ["kernel"], "body": [
                {"name": "conv", "seq": [{"conv": {"out": WIDTH, "kernel": "kernel"}}, "bn", "relu"]}]}},
            "network": [
                {"name": "stem", "seq": [{"conv": {"out": WIDTH, "kernel": 3}}, "bn", "relu"]},
                {"for": "i", "to": LAYERS, "body": [
                    {"name": "features.{i}", "choose": "layer[i]", "of": [{"unit": {"kernel": k}} for k in KERNELS]}]},
                "gap", {"name": "classifier", "linear": {"out": 10}}]}


def small_checkpoint():
    tensors = {"classifier.weight": ("F32", (10, WIDTH)), "classifier.bias": ("F32", (10,))}

    def conv_bn(name, cin, kernel):
        tensors[f"{name}.0.weight"] = ("F32", (WIDTH, cin, kernel, kernel))
        for part in ("weight", "bias", "running_mean", "running_var"):
            tensors[f"{name}.1.{part}"] = ("F32", (WIDTH,))

    conv_bn("stem", 3, 3)
    for i in range(LAYERS):
        for o, kernel in enumerate(KERNELS):
            conv_bn(f"features.{i}.{o}.conv", WIDTH, kernel)
    return safetensors(tensors)


def large_checkpoint():
    """The supernet of tests/bench/spaces/mbconv-32.json with every option, kept under build/."""
    path = ROOT / "build" / "fleet" / "mbconv-32.pth"
    if not path.exists():
        import torch
        from nets import MBConvNet, mbconv_spec
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(MBConvNet(mbconv_spec("mbconv-32"), every_option=True).state_dict(), path)
    return path


def store(server, large=False):
    """Uploads a supernet and images; returns what a search names."""
    pixels, classes = (32, 100) if large else (16, 10)
    document = json.loads((ROOT / "tests/bench/spaces/mbconv-32.json").read_text()) if large else small_space()
    space = server.api("POST", "/spaces", {"name": "fleet", "document": document})
    checkpoint = server.api("POST", "/checkpoints", {
        "name": "fleet", "blob": server.upload(large_checkpoint() if large else small_checkpoint()),
        "space": space["id"]})
    images = safetensors({"images": ("U8", (IMAGES, 3, pixels, pixels)), "labels": ("I64", (IMAGES,))})
    blob = server.upload(images)
    dataset = server.api("POST", "/datasets", {
        "name": "fleet", "format": "safetensors", "splits": {"train": [{"blob": blob}], "val": [{"blob": blob}]},
        "classes": [f"c{i}" for i in range(classes)]})
    return {"checkpoint": checkpoint["id"], "dataset": dataset["id"]}


def start_search(server, stored, count, **more):
    return server.api("POST", "/searches", {
        "name": "fleet", **stored, "strategy": {"name": "random", "count": count},
        "policy": {"average": "none"},
        "evaluation": {"images": IMAGES, "batch_size": 50}, **more})["id"]


class Fleet:
    """fleet-sim as a child; every mark is a dictionary."""

    def __init__(self, server, ledger=None, **options):
        port = server.url.rsplit(":", 1)[1]
        argv = [SIM, "--port", port, "--token", server.token("join")]
        self.ledger = ledger
        if ledger:
            options["ledger"] = ledger
        for name, value in options.items():
            argv += [f"--{name.replace('_', '-')}", str(value)]
        self.child = subprocess.Popen([str(a) for a in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, line):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()

    def read(self, seconds=120):
        ok, _, _ = select.select([self.child.stdout], [], [], seconds)
        line = self.child.stdout.readline() if ok else ""
        assert line, f"fleet-sim said nothing for {seconds} s (exit {self.child.poll()})"
        return json.loads(line)

    def mark(self, name="mark"):
        self.tell(f"mark {name}")
        return self.read()

    def wait(self, what, condition, seconds=60, every=0.25):
        """Marks until condition(mark) holds; counts before it are thrown away."""
        end = time.monotonic() + seconds
        while True:
            mark = self.mark()
            if condition(mark):
                return mark
            assert time.monotonic() < end, f"waited {seconds} s for {what}: {mark}"
            time.sleep(every)

    def stop(self, seconds=120):
        """Delivers what is held and returns the last mark."""
        if self.child.poll() is None:
            self.tell("stop")
        return self.finish(seconds)

    def finish(self, seconds=120):
        mark = self.read(seconds)
        assert self.child.wait(30) == 0
        return mark

    def kill(self):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()


def correct(lease, code, images):
    return zlib.crc32(code.encode(), zlib.crc32(lease.encode())) % (images + 1)


def read_ledger(path, until=None):
    """job -> {status: {lease: times}} and how many candidates each acknowledgement was for; `until` in nanoseconds of
    CLOCK_BOOTTIME leaves out what was acknowledged later."""
    jobs = {}
    for line in pathlib.Path(path).read_text().splitlines():
        job, lease, status, n, at = line.split()
        if until is not None and int(at) > until:
            break
        entry = jobs.setdefault(int(job), {"n": int(n)})
        leases = entry.setdefault(status, {})
        leases[lease] = leases.get(lease, 0) + 1
    return jobs


def check(database, ledger, deep=True, until=None):
    """Compares the database with the ledger; returns {"acknowledged": n, "lost": n, "twice": n, "problems": [...]}."""
    db = sqlite3.connect(database)
    db.create_function("correct", 3, correct, deterministic=True)
    problems = []
    if deep:
        verdict = db.execute("PRAGMA integrity_check").fetchall()
        if verdict != [("ok",)]:
            problems.append(f"integrity_check: {verdict[:3]}")
        broken = db.execute("PRAGMA foreign_key_check").fetchall()
        if broken:
            problems.append(f"foreign_key_check: {broken[:3]}")
    jobs = {i: (state, lease) for i, state, lease in db.execute("SELECT id, state, lease FROM job")}
    scored = dict(db.execute("SELECT job, count(*) FROM candidate WHERE state = 'scored' GROUP BY job"))
    lost = twice = 0
    told = read_ledger(ledger, until)
    for job, entry in told.items():
        mine = set(entry.get("stored", {})) | set(entry.get("duplicate", {}))
        others = set(entry.get("superseded", {}))
        state, lease = jobs.get(job, ("absent", None))
        if mine and (state != "done" or lease not in mine or scored.get(job, 0) != entry["n"]):
            lost += 1
            problems.append(f"job {job} acknowledged for {sorted(mine)} is {state} with {lease}, "
                            f"{scored.get(job, 0)} of {entry['n']} scored")
        if len(mine) > 1 or sum(entry.get("stored", {}).values()) > 1:
            twice += 1
            problems.append(f"job {job} was accepted more than once: {entry}")
        if others and (lease in others or state not in ("done", "failed")):
            problems.append(f"job {job} superseded {sorted(others)} but is {state} with {lease}")
    wrong = db.execute(
        "SELECT c.job, c.code FROM candidate c LEFT JOIN job j ON j.id = c.job WHERE c.state = 'scored' AND "
        "(j.state IS NOT 'done' OR c.stats_digest IS NOT j.lease OR c.n_correct != correct(j.lease, c.code, c.n_images))"
    ).fetchall()
    twice += len(wrong)
    problems += [f"candidate {code} of job {job} holds another lease's score" for job, code in wrong[:5]]
    counted, = db.execute("SELECT coalesce(sum(scored), 0) FROM worker").fetchone()
    there, = db.execute("SELECT count(*) FROM candidate WHERE state = 'scored'").fetchone()
    if counted != there:
        twice += abs(counted - there)
        problems.append(f"workers are credited with {counted} scores, there are {there}")
    db.close()
    return {"acknowledged": sum(bool(set(e) & {"stored", "duplicate"}) for e in told.values()), "lost": lost,
            "twice": twice, "problems": problems}


def memory_mb(pid, what="VmRSS"):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


def make_coordinator(directory, *options):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    return Coordinator(directory, "--log-level", "warn", *options)
