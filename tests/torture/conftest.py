"""Fixtures of the torture tests. `full` is true under `make torture` (SUBRANK_TORTURE=full)."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fleet"))

import rig  # noqa: E402


@pytest.fixture
def full():
    return os.environ.get("SUBRANK_TORTURE") == "full"


@pytest.fixture
def coordinator(tmp_path):
    """make(*options): a coordinator in its own directory, not started; every one is killed with the test."""
    made = []

    def make(*options):
        made.append(rig.make_coordinator(tmp_path / f"c{len(made)}", *options))
        return made[-1]

    yield make
    for one in made:
        if one.process and one.process.running():
            one.process.kill()


@pytest.fixture
def fleet():
    """make(server, ledger, **options): a simulated fleet that ends with the test."""
    made = []

    def make(server, ledger=None, **options):
        made.append(rig.Fleet(server, ledger, **options))
        return made[-1]

    yield make
    for one in made:
        one.kill()
