"""axe-core over every page: nothing serious, light or dark, wide or narrow."""
import pytest

import scripted
import tiny
from cluster import ROOT, dashboard

AXE = ROOT / "webui" / "node_modules" / "axe-core" / "axe.min.js"
PAGES = ["/searches", "/searches/new", "/searches/1", "/searches/1?group=class", "/searches/1?code=2222", "/searches/1?tab=decisions&choices=0:1",
         "/searches/2?tab=history", "/searches/1?tab=trust", "/searches/1?tab=settings", "/searches/1/candidates/2222",
         "/searches/1/candidates/2222?with=2221", "/compare", "/compare?searches=1,2", "/workers", "/workers/1", "/library/spaces", "/library/spaces/1",
         "/library/checkpoints", "/library/checkpoints/1", "/library/datasets", "/library/datasets/1", "/admin", "/nowhere"]


@pytest.fixture(scope="module")
def full(built):
    c = dashboard()
    parts = tiny.fill(c)
    search = tiny.search(c, parts, notes="# Why\n\nA *note* with a [link](https://example.org).", tags=["tiny"])
    worker = scripted.ScriptedWorker(c)
    worker.work()
    c.api("PUT", f"/searches/{search['id']}/truth", {"accuracies": {r["code"]: r["accuracy"] for r in c.ranking(search["id"])}})
    tiny.search(c, parts, name="evolved", strategy={"name": "evolution", "population": 10, "generations": 3})
    worker.work()
    yield c
    c.close()


def violations(page):
    page.js(AXE.read_text())
    found = page.driver.execute_async_script(
        "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(r => done(r.violations), e => done([{impact: 'critical', id: String(e), nodes: []}]))")
    return [(v["impact"], v["id"], [n["html"][:160] for n in v["nodes"][:3]]) for v in found if v["impact"] in ("serious", "critical")]


def check(page, base, where):
    page.open(base + where)
    page.wait("the page", lambda: page.all("h1, h3") and "Loading" not in page.text())
    return violations(page)


@pytest.mark.parametrize("look", ["light", "dark", "narrow"])
def test_no_serious_violation_on_any_page(full, page, look):
    page.sign_in(full)
    page.look(390 if look == "narrow" else 1440, 900, look == "dark")
    bad = {where: found for where in PAGES if (found := check(page, full.url, where))}
    assert not bad, "\n".join(f"{where}: {v}" for where, found in bad.items() for v in found)


def test_no_serious_violation_before_signing_in(full, page):
    page.open(full.url)
    page.one("input[name=token]")
    assert violations(page) == []
