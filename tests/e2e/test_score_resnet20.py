"""A published network through the engine: ResNet-20 from its legacy .th file, recalibrated on 4,000 lossless images;
its statistics against PyTorch's (tests/golden/make_resnet20.py)."""
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("SUBRANK_SHARED", ROOT.parent / "shared"))
WORKER = Path(os.environ.get("SUBRANK_BUILD", ROOT / "build/release")) / "subrank-worker"
sys.path.insert(0, str(ROOT / "tests/golden"))
import make_resnet20  # noqa: E402

if not (SHARED / "data/cifar10").exists():
    pytest.skip(f"SKIP: {SHARED} not found", allow_module_level=True)


def test_statistics_and_score(tmp_path):
    want = json.loads((ROOT / "tests/golden/resnet20.json").read_text())
    (tmp_path / "train").write_bytes(make_resnet20.cifar(SHARED).tobytes())
    doc = {
        "kind": "score",
        "space": {"id": 1, "document": json.loads((ROOT / "proto/spaces/cifar-resnet20.json").read_text())},
        "checkpoint": {"id": 1, "blob": "1" * 64},
        "dataset": {"id": 1, "document": {
            "name": "cifar10", "format": "cifar", "mean": make_resnet20.MEAN, "std": make_resnet20.STD,
            "splits": {"train": [{"blob": "2" * 64}]}}},
        "policy": {"average": "cumulative", "batches": 32, "batch_size": 125},
        "evaluation": {"split": "train", "images": 1000, "batch_size": 250, "first": 0},
        "candidates": [""],
    }
    checkpoint = SHARED / "data/weights/resnet_cifar10/resnet20-12fca82f.th"
    files = [f"--file={'1' * 64}={checkpoint}", f"--file={'2' * 64}={tmp_path / 'train'}"]
    out = subprocess.run([WORKER, "score", "--job", "-", "--statistics", *files], input=json.dumps(doc), text=True,
                         stdout=subprocess.PIPE, timeout=600)
    assert out.returncode == 0, out.stdout
    got = json.loads(out.stdout.splitlines()[0])["score"]
    assert set(got["statistics"]) == set(want["statistics"]) and len(got["statistics"]) == 19
    worst = 0
    for bn, stats in want["statistics"].items():
        mean, var = np.array(stats["mean"]), np.array(stats["var"])
        mine = got["statistics"][bn]
        worst = max(worst, np.max(np.abs(np.array(mine["var"]) / var - 1)),
                    np.max(np.abs(np.array(mine["mean"]) - mean) / np.maximum(np.abs(mean), np.sqrt(var))))
    assert worst <= 1e-4
    assert abs(got["n_correct"] - want["n_correct"]) <= 1
    assert abs(got["loss_sum"] - want["loss_sum"]) <= 1e-4 * want["loss_sum"]
