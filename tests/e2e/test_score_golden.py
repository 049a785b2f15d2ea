"""The engine alone (subrank-worker score) against PyTorch's numbers for the NAS-Bench-Macro supernet: logits and
BatchNorm statistics where golden.json has them. test_macro.py compares every row's counts through the whole system."""
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("SUBRANK_SHARED", ROOT.parent / "shared"))
WEIGHTS = SHARED / "data/weights/macro_supernet"
CODES = ["22222222", "00000000", "12012100", "12012101", "12012102", "10120020", "02021220"]
FEW = {"average": "cumulative", "batches": 3, "batch_size": 64}
WORKER = Path(os.environ.get("SUBRANK_BUILD", ROOT / "build/release")) / "subrank-worker"

if not WEIGHTS.exists():
    pytest.skip(f"SKIP: {WEIGHTS} not found", allow_module_level=True)


def job(codes, policy, images, batch_size=250):
    return {
        "kind": "score",
        "space": {"id": 1, "document": json.loads((ROOT / "proto/spaces/nas-bench-macro.json").read_text())},
        "checkpoint": {"id": 1, "blob": "1" * 64},
        "dataset": {"id": 1, "document": {
            "name": "cifar10", "format": "cifar", "mean": [.4914, .4822, .4465], "std": [.2470, .2435, .2616],
            "splits": {"train": [{"blob": "2" * 64}], "val": [{"blob": "3" * 64}]}}},
        "policy": policy,
        "evaluation": {"split": "val", "images": images, "batch_size": batch_size, "first": 0},
        "candidates": codes,
    }


def score(doc, *options):
    """{code: score} and the summary."""
    files = [f"--file={d * 64}={WEIGHTS / f}" for d, f in (("1", "macro.pth"), ("2", "calib.bin"), ("3", "val.bin"))]
    out = subprocess.run([WORKER, "score", "--job", "-", *files, *options], input=json.dumps(doc), text=True,
                         stdout=subprocess.PIPE, timeout=600)
    lines = [json.loads(line) for line in out.stdout.splitlines()]
    assert out.returncode == 0, lines[-3:]
    return {x["score"]["code"]: x["score"] for x in lines if "score" in x}, lines[-1]["done"]


def check_counts(got, want, images):
    for name in ("n_correct", "n_correct_top5"):
        assert abs(got[name] - want[name]) <= max(1, images * .0005), (name, got, want)
    assert abs(got["loss_sum"] - want["loss_sum"]) <= 1e-4 * abs(want["loss_sum"])


def check_stats(got, want):
    for bn, stats in want.items():
        n = len(stats["var4"])
        mean, var = np.array(got[bn]["mean"][:n]), np.array(got[bn]["var"][:n])
        deviation = np.sqrt(stats["var4"])  # a mean near zero is measured by the spread
        assert np.all(np.abs(var - stats["var4"]) <= 1e-4 * np.abs(stats["var4"])), bn
        assert np.all(np.abs(mean - stats["mean4"]) <= 1e-4 * np.maximum(np.abs(stats["mean4"]), deviation)), bn


def golden():
    return json.loads((WEIGHTS / "golden.json").read_text())


@pytest.mark.parametrize("policy", list(golden()["policies"]))
def test_logits_and_statistics(policy):
    doc = golden()
    rows = [r for r in doc["rows"] if r["policy"] == policy and "stats" in r]
    assert len(rows) == 2
    scores, _ = score(job([r["code"] for r in rows], doc["policies"][policy], rows[0]["n"]), "--logits", "8",
                      "--statistics")
    for row in rows:
        got = scores[row["code"]]
        check_counts(got, row, row["n"])
        want = np.array(row["logits_first8"])
        rms = np.sqrt(np.mean(want ** 2))
        assert np.abs(np.array(got["logits"]) - want).max() <= 1e-3 * rms
        check_stats(got["statistics"], row["stats"])


@pytest.fixture(scope="module")
def alone():
    """Seven codes scored one at a time on one thread."""
    scores = {}
    for code in CODES:
        scores.update(score(job([code], FEW, 300), "--logits", "300", "--threads", "1")[0])
    return scores


@pytest.mark.parametrize("option", [["--threads", "1"], ["--threads", "2"], ["--threads", "3"], ["--memory", "600"]])
def test_bits_do_not_depend_on_company_or_threads(option, alone):
    together, _ = score(job(CODES, FEW, 300), "--logits", "300", *option)
    assert together == alone
