#!/usr/bin/env python3
"""The main job at full size: two workers with one thread each rank all 6,561 codes of NAS-Bench-Macro on 1,000 images,
with a supernet that PyTorch trained; the ranking is compared with the benchmark's stand-alone accuracies and with merely
counting MACs or parameters. Takes most of an hour of two cores; with a directory as argument an interrupted run goes on
where it stopped. Writes build/bench/macro.json. Needs the shared data (SUBRANK_SHARED or ../shared)."""
import csv
import json
import pathlib
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from cluster import SHARED, Cluster, store_macro  # noqa: E402

TABLE = SHARED / "data" / "tables" / "nas_bench_macro" / "nas_bench_macro_c10.csv"
CODES, CLASSES = 3 ** 8, 3969  # isomorphic codes make one class


def submit(server):
    _, checkpoint, dataset = store_macro(server)
    return server.api("POST", "/searches", {
        "name": "all codes of NAS-Bench-Macro", "checkpoint": checkpoint, "dataset": dataset,
        "strategy": {"name": "exhaustive"},
        "policy": {"average": "last", "variance": "unbiased", "batches": 1, "batch_size": 256, "split": "train"},
        "evaluation": {"split": "val", "images": 1000, "batch_size": 250, "first": 0}})["id"]


def follow(server, search):
    """Until the search has ended; tells where it stands every half minute."""
    while True:
        doc = server.api("GET", f"/searches/{search}")
        if doc["state"] != "running":
            assert doc["state"] == "done", doc
            return doc
        left = f", {doc['eta_s'] / 60:.0f} minutes left" if doc["eta_s"] else ""
        print(f"{doc['progress']['scored']:,} of {CODES:,}{left}", flush=True)
        time.sleep(30)


def report(server, search, seconds):
    with open(TABLE) as f:
        truth = {row["arch"]: float(row["mean"]) / 100 for row in csv.DictReader(f)}
    assert server.api("PUT", f"/searches/{search}/truth", {"accuracies": truth})["matched"] == CODES
    ranking = server.ranking(search)
    assert len(ranking) == len({row["code"] for row in ranking}) == CODES
    assert len({row["class"] for row in ranking}) == CLASSES
    found = server.api("GET", f"/searches/{search}/correlation")
    rows = []
    for who in ("score", "macs", "params"):
        for measure in ("tau_b", "spearman", "pearson"):
            c = found[who][measure]
            rows.append({"by": who, "measure": measure, **c})
            print(f"{who:7} {measure:9} {c['value']:.3f}  [{c['lo']:.3f}, {c['hi']:.3f}]")
    best = ranking[0]
    print(f"best {best['code']}: {100 * best['accuracy']:.1f} % on 1,000 images, stand-alone "
          f"{100 * truth[best['code']]:.2f} % (of all: {100 * max(truth.values()):.2f} %)")
    print(f"{CODES:,} codes in {CLASSES:,} classes, {seconds / 60:.0f} minutes")
    out = ROOT / "build" / "bench" / "macro.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"codes": CODES, "classes": CLASSES, "seconds": seconds, "correlation": rows}, indent=1))


def main(folder):
    again = (pathlib.Path(folder) / "data").exists()
    c = Cluster(folder).start(2)
    try:
        search = 1 if again else submit(c.server)
        done = follow(c.server, search)
        report(c.server, search, (done["finished"] - done["created"]) / 1000)
    finally:
        c.close()


if __name__ == "__main__":
    if not TABLE.exists():
        sys.exit(f"SKIP: {TABLE} not found; set SUBRANK_SHARED")
    if len(sys.argv) > 1:
        pathlib.Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(folder)
