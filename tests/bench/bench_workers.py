#!/usr/bin/env python3
"""The throughput of two workers beside that of one: the whole system (coordinator, HTTP, leases, one thread per worker)
ranks the same random candidates of the demo's supernet, once with one worker and once with two, in turns. Prints the
medians and their ratio and writes build/bench/workers.json."""
import json
import pathlib
import signal
import statistics
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from cluster import Cluster, store_demo  # noqa: E402

CANDIDATES, ROUNDS, BAR = 200, 3, 1.8


def rank(c, ids, name):
    """Candidates per second from the first lease to the last result."""
    search = c.server.api("POST", "/searches", {
        "name": name, "checkpoint": ids[0], "dataset": ids[1], "seed": 1,
        "strategy": {"name": "random", "count": CANDIDATES},
        "policy": {"average": "cumulative", "variance": "unbiased", "batches": 4, "batch_size": 128, "split": "train"},
        "evaluation": {"split": "val", "images": 500, "batch_size": 250}})["id"]
    done = c.server.wait_search(search)
    assert done["progress"]["scored"] == done["progress"]["proposed"], done["progress"]
    rows = c.server.ranking(search)
    result = sorted((r["code"], r["n_correct"], r["loss"]) for r in rows)
    return 1000 * len(rows) / (done["finished"] - done["created"]), result


def main():
    with tempfile.TemporaryDirectory() as folder:
        c = Cluster(folder).start(2)
        try:
            _, *ids = store_demo(c.server)
            _, expected = rank(c, ids, "warm")
            one, two = [], []
            for i in range(ROUNDS):
                for workers, rates in ((1, one), (2, two)):
                    if workers == 1:
                        c.workers["w1"].stop()
                    rate, result = rank(c, ids, f"{workers} workers, round {i}")
                    assert result == expected, "the ranking depends on the number of workers"
                    rates.append(rate)
                    if workers == 1:
                        c.worker("w1").wait_event("started", count=i + 2)
        finally:
            c.close()
    ratio = statistics.median(b / a for a, b in zip(one, two))
    rows = [{"case": "demo supernet, whole system", "ours": statistics.median(two), "peer": statistics.median(one),
             "unit": "candidates/s, two workers against one", "ratio": ratio, "target": BAR}]
    print(f"one worker {rows[0]['peer']:.1f}, two workers {rows[0]['ours']:.1f} candidates/s, "
          f"ratio {ratio:.2f} (bar {BAR}); the rankings are the same")
    out = ROOT / "build" / "bench" / "workers.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main()
