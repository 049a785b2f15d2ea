"""Fixtures of the system tests: `cluster` makes a fresh coordinator and ends every process with the test."""
import socket

import pytest

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
