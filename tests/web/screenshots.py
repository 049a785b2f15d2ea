"""Pictures of every page, light and dark, wide and narrow: screenshots.py OUT-DIRECTORY. With the data of SUBRANK_SHARED
real workers score a real supernet (some minutes), and the published accuracies stand beside it; without, a worker that
answers by rule scores the tests' own."""
import csv
import os
import pathlib
import sys

import scripted
import tiny
from conftest import find_browser
from cluster import ROOT, SHARED, Cluster, store_macro
from page import TELL, Page

TRUTH = SHARED / "data" / "tables" / "nas_bench_macro" / "nas_bench_macro_c10.csv"
EVOLUTION = {"name": "evolution", "population": 14, "generations": 3}


def pages(first, second, code, other):
    """Where to look: a finished search, an evolution, and two architectures of the first."""
    one, two = f"/searches/{first}", f"/searches/{second}"
    yield from ["/searches", "/searches/new", one, f"{one}?group=class", f"{one}?tab=decisions", f"{one}?tab=trust"]
    yield from [f"{one}?tab=settings", f"{one}?code={code}", f"{one}/candidates/{code}"]
    yield from [f"{one}/candidates/{code}?with={other}", two, f"{two}?tab=history", f"/compare?searches={first},{second}"]
    yield from ["/workers", "/workers/1", "/library/spaces", "/library/checkpoints", "/library/datasets"]
    yield from [f"/library/spaces/1?code={code}", "/library/spaces/1", "/library/checkpoints/1", "/library/datasets/1"]
    yield from ["/admin", "/nowhere"]


def real(c):
    """-> ids of two finished searches over NAS-Bench-Macro's supernet."""
    _, checkpoint, dataset = store_macro(c.server)
    for name in ("node1", "node2"):
        c.worker(name)
    common = {"checkpoint": checkpoint, "dataset": dataset, "seed": 1,
              "policy": {"average": "cumulative", "batches": 2, "batch_size": 100}}

    def search(name, strategy, images, **more):
        return c.server.api("POST", "/searches", {
            "name": name, "strategy": strategy, **{**common, **more},
            "evaluation": {"split": "val", "images": images, "batch_size": 100, "first": 0}})["id"]
    sample = {"name": "random", "count": 100}
    first = search("NAS-Bench-Macro, a random hundred", sample, 300, tags=["cifar10"],
                   notes="How far can **two batches** of calibration be trusted?\n\n- 300 images each\n- truth: trained alone")
    fewer = search("The same on fewer images", sample, 100)
    bare = search("The same without calibration", sample, 300, policy={"average": "none"})
    second = search("Evolution below 60 MMACs", EVOLUTION, 300, constraints={"macs": {"max": 60e6}}, tags=["cifar10"])
    for s in (first, fewer, bare, second):
        c.server.wait_search(s, 1800)
    with open(TRUTH, newline="") as table:
        truth = {row["arch"]: float(row["mean"]) for row in csv.DictReader(table)}
    for s in (first, fewer, bare, second):
        c.server.api("PUT", f"/searches/{s}/truth", {"accuracies": truth})
    return first, second


def played(c):
    """The same of the tests' own supernet."""
    parts = tiny.fill(c.server)
    first = tiny.search(c.server, parts, tags=["tiny"])["id"]
    worker = scripted.ScriptedWorker(c.server, "node1")
    scripted.ScriptedWorker(c.server, "node2")
    worker.work()
    truth = {r["code"]: 100 * r["accuracy"] - i % 5 for i, r in enumerate(c.server.ranking(first))}
    c.server.api("PUT", f"/searches/{first}/truth", {"accuracies": truth})
    second = tiny.search(c.server, parts, name="evolution at work", strategy=EVOLUTION)["id"]
    worker.work(at_least=20)
    return first, second


def shoot(page, base, where, out, size, dark):
    width, height = size
    page.look(width, height, dark)
    page.open(base + where)
    page.loaded()
    if page.all(".plot"):
        page.wait("charts", lambda: page.all(".plot canvas") and page.js("return document.fonts.status") == "loaded")
    page.wait("live", lambda: page.js("return document.querySelector('.live.live') !== null"))
    tall = min(page.js("return document.documentElement.scrollHeight"), 2400)
    page.look(width, max(height, tall), dark)
    page.rest(400)
    page.at_rest()
    name = where.strip("/").replace("/", "-").replace("?", "-").replace("=", "-")
    page.driver.save_screenshot(str(out / f"{name}-{'dark' if dark else 'light'}-{width}.png"))


def main(out):
    out.mkdir(parents=True, exist_ok=True)
    here = Cluster(None, "--webui", ROOT / "webui" / "dist", "--check-results", "adaptive").start()
    page = Page(*find_browser(), root=os.geteuid() == 0)
    server = here.server
    try:
        if not TRUTH.exists():
            print(f"SKIP real scores: {TRUTH} not found (SUBRANK_SHARED)")
        first, second = (real if TRUTH.exists() else played)(here)
        best, other = [r["code"] for r in server.ranking(first)[:2]]
        page.before(TELL)
        page.open(server.url)
        page.one("input[name=token]")
        page.driver.save_screenshot(str(out / "login-light-1440.png"))
        page.sign_in(server)
        for size in [(1440, 900), (390, 844)]:
            for dark in [False, True]:
                for where in pages(first, second, best, other):
                    shoot(page, server.url, where, out, size, dark)
    finally:
        page.close()
        here.close()
    print(f"{len(list(out.glob('*.png')))} pictures in {out}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
