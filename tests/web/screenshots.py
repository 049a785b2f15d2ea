"""Pictures of every page, light and dark, wide and narrow: screenshots.py OUT-DIRECTORY. A real coordinator, filled by
the API, with a worker that answers by rule."""
import os
import pathlib
import sys

import scripted
import tiny
from conftest import find_browser
from cluster import dashboard
from page import Page

PAGES = ["/searches", "/searches/new", "/searches/1", "/searches/1?group=class", "/searches/1?tab=trust", "/searches/1?tab=settings",
         "/searches/1?tab=decisions", "/searches/1?code=2222", "/searches/1/candidates/2222", "/searches/2", "/searches/2?tab=history",
         "/compare?searches=1,2", "/workers", "/workers/1", "/library/spaces", "/library/checkpoints", "/library/datasets",
         "/library/spaces/1", "/library/checkpoints/1", "/library/datasets/1", "/admin"]


def shoot(page, base, where, out, size, dark):
    width, height = size
    page.look(width, height, dark)
    page.open(base + where)
    page.one("h1")
    page.wait("the page to be loaded", lambda: "Loading" not in page.text())
    if page.all(".plot"):
        page.wait("charts", lambda: page.all(".plot canvas") and page.js("return document.fonts.status") == "loaded")
    tall = min(page.js("return document.documentElement.scrollHeight"), 2400)
    page.look(width, max(height, tall), dark)
    page.wait("a redraw", lambda: page.driver.execute_async_script("const done=arguments[0]; setTimeout(() => done(true), 400)"))
    name = where.strip("/").replace("/", "-").replace("?", "-").replace("=", "-")
    page.driver.save_screenshot(str(out / f"{name}-{'dark' if dark else 'light'}-{width}.png"))


def main(out):
    out.mkdir(parents=True, exist_ok=True)
    coordinator = dashboard()
    page = Page(*find_browser(), root=os.geteuid() == 0)
    try:
        parts = tiny.fill(coordinator)
        search = tiny.search(coordinator, parts, tags=["tiny"])
        worker = scripted.ScriptedWorker(coordinator, "node1")
        scripted.ScriptedWorker(coordinator, "node2")
        worker.work()
        truth = {r["code"]: 100 * r["accuracy"] - i % 5 for i, r in enumerate(coordinator.ranking(search["id"]))}
        coordinator.api("PUT", f"/searches/{search['id']}/truth", {"accuracies": truth})
        tiny.search(coordinator, parts, name="evolution at work", strategy={"name": "evolution", "population": 20, "generations": 3})
        worker.work(at_least=20)
        page.open(coordinator.url)
        page.one("input[name=token]")
        page.driver.save_screenshot(str(out / "login-light-1440.png"))
        page.sign_in(coordinator)
        for size in [(1440, 900), (390, 844)]:
            for dark in [False, True]:
                for where in PAGES:
                    shoot(page, coordinator.url, where, out, size, dark)
    finally:
        page.close()
        coordinator.close()
    print(f"{len(list(out.glob('*.png')))} pictures in {out}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
