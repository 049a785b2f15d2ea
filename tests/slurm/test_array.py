"""The job array of deploy/slurm on a real Slurm cluster, with a real coordinator: every task is a worker that joins,
beats and, when Slurm ends the job, gives its identity up."""
import json
import pathlib
import re
import subprocess
import urllib.request

import pytest

from slurm_cluster import Cluster, missing, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "release"
pytestmark = pytest.mark.skipif(bool(missing()), reason=f"SKIP {missing()} not found: deploy/install-deps.sh --slurm")


@pytest.fixture
def coordinator(tmp_path):
    log = tmp_path / "subrankd.log"
    data = tmp_path / "data"
    with open(log, "wb") as out:
        process = subprocess.Popen([BUILD / "subrankd", "--data", data, "--listen", "127.0.0.1:0", "--beat-s", "1",
                                    "--expiry-s", "3"], stderr=out)
    try:
        wait_for("coordinator", lambda: "ready " in log.read_text())
        url = re.search(r"ready .*?url=\"?([^\s\"]+)", log.read_text()).group(1).rstrip("/")
        yield url, data
    finally:
        process.terminate()
        process.wait(20)


def workers(url, data):
    request = urllib.request.Request(url + "/api/v1/workers")
    request.add_header("Authorization", "Bearer " + (data / "admin.token").read_text().strip())
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["items"]


def test_array_of_workers_joins_and_leaves(coordinator, tmp_path):
    url, data = coordinator
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    script = ROOT / "deploy" / "slurm" / "subrank-workers.sbatch"
    with Cluster(tmp_path) as slurm:
        log = str(tmp_path / "task-%a.out")
        out = slurm.run(["sbatch", "--array=1-3", "--cpus-per-task=1", "--output", log, script],
                        SUBRANK_SERVER=url, SUBRANK_JOIN_TOKEN_FILE=str(data / "join.token"),
                        SUBRANK_WORKER=str(BUILD / "subrank-worker"), TMPDIR=str(scratch), SUBRANK_THREADS="1")
        job = out.split()[-1]
        joined = wait_for("three workers", lambda: (lambda w: len(w) == 3 and w)(workers(url, data)), 60)
        assert sorted(w["name"][-2:] for w in joined) == ["-1", "-2", "-3"]
        assert all(w["state"] in ("idle", "busy") for w in joined), joined

        slurm.run(["scancel", "--signal=TERM", "--batch", job])
        wait_for("the end of the array", lambda: not slurm.run(["squeue", "-h", "-j", job], check=False).strip(), 60)
        states = slurm.run(["scontrol", "show", "job", job])
        assert states.count("JobState=COMPLETED") == 3 and "ExitCode=0:0" in states, states
        assert all(w["state"] == "left" for w in workers(url, data))
        assert not list(scratch.glob("subrank-[0-9]*")), "a task left its state directory behind"
        for i in (1, 2, 3):
            text = (tmp_path / f"task-{i}.out").read_text()
            assert "joined " in text and "ended " in text, text
            assert (data / "join.token").read_text().strip() not in text
