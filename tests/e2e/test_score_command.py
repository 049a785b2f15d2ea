"""`subrank-worker score` on the demo's supernet: what its options promise. Memory stays within its limit, a stopped job
ends at once, a profile tells where time went, and none of it changes a score."""
import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "deploy/demo"
WORKER = Path(os.environ.get("SUBRANK_BUILD", ROOT / "build/release")) / "subrank-worker"
CODES = ["000000", "012012", "012011", "012010", "222222", "222221", "222212", "100000"]


def command(codes, images, batches, *options):
    data = json.loads((DEMO / "dataset.json").read_text())
    files = {"1" * 64: DEMO / "supernet.pth"}
    for split, blobs in data["splits"].items():
        files[blobs[0]["blob"]] = DEMO / f"{split}-images.idx.gz"
        files[blobs[0]["labels"]] = DEMO / f"{split}-labels.idx.gz"
    doc = {"kind": "score", "space": {"id": 1, "document": json.loads((DEMO / "space.json").read_text())},
           "checkpoint": {"id": 1, "blob": "1" * 64}, "dataset": {"id": 1, "document": data},
           "policy": {"average": "cumulative", "batches": batches, "batch_size": 128},
           "evaluation": {"split": "val", "images": images, "batch_size": 250, "first": 0}, "candidates": codes}
    places = [f"--file={sha}={path}" for sha, path in files.items()]
    return [str(WORKER), "score", "--job", "-", *places, *options], json.dumps(doc)


def score(codes, *options, images=500, batches=2):
    """The lines, what was printed on stderr, and the peak memory in bytes."""
    argv, doc = command(codes, images, batches, *options)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
        p.stdin.write(doc)
        p.stdin.close()
        lines = [json.loads(line) for line in p.stdout]
        told = p.stderr.read()
        _, _, used = os.wait4(p.pid, 0)
        p.returncode = 0
    return lines, told, 1024 * used.ru_maxrss


def scores(lines):
    return {line["score"]["code"]: line["score"] for line in lines if "score" in line}


@pytest.fixture(scope="module")
def free():
    """One thread, no limit; the scores and the peak."""
    lines, _, peak = score(CODES, "--threads", "1")
    assert len(scores(lines)) == len(CODES)
    return scores(lines), peak


def test_memory_stays_within_the_limit(free):
    """What the engine allocates is what it computed: the peak is the limit and the program itself at most, in smaller
    groups on fewer threads, with the same scores."""
    bare = score(["000000"], "--threads", "1", images=1, batches=1)[2] - (2 << 20)
    for mib in (80, 60, 40):
        lines, _, peak = score(CODES, "--threads", "4", "--memory", str(mib))
        assert scores(lines) == free[0]
        assert peak <= (mib << 20) + bare, (mib, peak, bare)


def test_too_little_memory_is_refused_by_name():
    lines, _, _ = score(CODES, "--memory", "4")
    assert lines[-1]["error"]["type"] == "no-memory" and lines[-1]["error"]["where"] == "memory"
    assert "the limit is 4 MiB" in lines[-1]["error"]["detail"]


def test_memory_does_not_grow_with_candidates(free):
    many = [f"{a}{b}{c}{d}12" for a in "012" for b in "012" for c in "012" for d in "012"]
    _, _, peak = score(many, "--threads", "1", images=250, batches=1)
    assert peak <= free[1] + (24 << 20)  # statistics and plans, not activations


def test_profile_adds_up(free):
    lines, told, _ = score(CODES, "--threads", "2", "--profile")
    assert scores(lines) == free[0]
    rows = re.findall(r"^(\S.*?)\s+(\d+)\s+([\d.]+)\s+([\d.]+)%\s+([\d.]+)", told, re.M)
    names = [r[0] for r in rows]
    assert names[-1] == "total" and {"conv 1x1", "conv dw"} <= set(names)
    times = [float(r[2]) for r in rows]
    assert times[:-1] == sorted(times[:-1], reverse=True)
    assert abs(sum(times[:-1]) - times[-1]) <= .1 * len(rows)
    assert abs(sum(float(r[4]) for r in rows[:-1]) - float(rows[-1][4])) <= 1e-5 * len(rows)


def test_a_stopped_job_says_so():
    """Minutes of work; it ends as soon as it is asked to."""
    argv, doc = command(CODES, 2000, 8, "--repeat", "1000", "--threads", "2")
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as p:
        p.stdin.write(doc)
        p.stdin.close()
        assert "score" in json.loads(p.stdout.readline())
        p.send_signal(signal.SIGTERM)
        lines = [json.loads(line) for line in p.stdout]
        assert p.wait(timeout=30) == 1
    assert lines[-1]["error"]["type"] == "cancelled"
    assert len(lines) < 100 * len(CODES)
