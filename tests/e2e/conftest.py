"""Fixtures of the system tests: `cluster` makes a fresh coordinator and ends every process with the test."""
import socket

import os

import pytest

import contract
from cluster import SHARED, Cluster


@pytest.fixture
def cluster(tmp_path):
    made = []

    def make(*options, workers=0):
        one = Cluster(tmp_path / f"c{len(made)}", *options)
        one.dir.mkdir()
        made.append(one)
        return one.start(workers)

    yield make
    for one in made:
        one.close()


@pytest.fixture
def shared():
    """The directory of real data sets and weights; the test skips where it is absent."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"SKIP {SHARED}/data not found: set SUBRANK_SHARED")
    return SHARED / "data"


@pytest.fixture
def free_port():
    """A port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def pytest_terminal_summary(terminalreporter):
    missing = contract.unvisited()
    terminalreporter.write_line(f"contract: {len(contract.visited)} operations checked, not visited: "
                                f"{', '.join(missing) or 'none'}")


def pytest_sessionfinish(session, exitstatus):
    """`make e2e` runs everything: an operation that no test visits fails it."""
    if os.environ.get("SUBRANK_CONTRACT") == "full" and exitstatus == 0 and contract.unvisited():
        session.exitstatus = 1
