"""Every space of proto/spaces against an independent PyTorch network (tests/golden/spaces): the engine's logits after
its own calibration and with the checkpoint's statistics, for random codes, within 1e-3 of their RMS. Two codes a space;
`make parity` takes ten."""
import importlib.util
import os
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "golden/spaces"
sys.path.insert(0, str(FOLDER))
HELPERS = ("parity", "ofa", "attentive", "mobile", "slim", "cells", "darts_cells")
parity = pytest.importorskip("parity", reason="SKIP: PyTorch not found")


@pytest.mark.parametrize("name", sorted(p.stem for p in FOLDER.glob("*.py") if p.stem not in HELPERS))
def test_parity(name, tmp_path):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    worst = parity.compare(module, tmp_path, ncodes=int(os.environ.get("SUBRANK_CODES", 2)))
    print(name, worst)
    assert max(worst.values()) <= 1e-3, worst
