"""What a search shows beyond its ranking: decisions, history, one architecture's page, a zoomed scatter."""
import pytest

import scripted
import tiny
from cluster import dashboard
from test_search import codes, rows


@pytest.fixture(scope="module")
def done(built):
    """Every architecture of tiny scored, and an evolution."""
    c = dashboard()
    parts = tiny.fill(c)
    c.search = tiny.search(c, parts)["id"]
    scripted.ScriptedWorker(c).work()
    c.evolution = tiny.search(c, parts, name="evolved", strategy={"name": "evolution", "population": 10, "generations": 3})["id"]
    scripted.ScriptedWorker(c).work()
    yield c
    c.close()


def press(page, name):
    page.wait(name, lambda: page.js("""const e = document.querySelector(arguments[0]);
        return e && (e.dispatchEvent(new MouseEvent('click', {bubbles: true})), true)""", f"g[role=button][aria-label='{name}']"))


def test_marked_options_filter_the_table_and_the_address_keeps_them(done, page):
    page.sign_in(done)
    page.open(f"{done.url}/searches/{done.search}?tab=decisions")
    page.wait("lines", lambda: len(page.all("polyline.thread")) == 81)
    press(page, "layer[0]: conv3")
    press(page, "layer[2]: identity")
    page.wait("rows of the marked ones only", lambda: len(codes(page)) == 9 and all(c[0] == "2" and c[2] == "0" for c in codes(page)))
    page.wait("their lines only", lambda: len(page.all("polyline.thread:not(.off)")) == 9)
    page.driver.refresh()
    page.wait("the same after a reload", lambda: len(codes(page)) == 9 and all(c[0] == "2" and c[2] == "0" for c in codes(page)))
    page.click("Clear the marks")
    page.wait("all rows", lambda: "81 architectures" in page.text() and len(rows(page)) > 12)


def test_an_axis_is_dragged_to_mark_a_range(done, page):
    page.sign_in(done)
    page.open(f"{done.url}/searches/{done.search}?tab=decisions")
    page.wait("lines", lambda: len(page.all("polyline.thread")) == 81)

    def top():
        grip = page.all(".parallel .grip")[-1]
        return grip, 0, -int(grip.size["height"] / 2) + 2

    page.drag(top, 0, top()[0].size["height"] // 4, "a range of accuracies", lambda: "accuracy_min" in page.driver.current_url)

    def the_best_only():
        least = float(page.js("return new URLSearchParams(location.search).get('accuracy_min')"))
        want = [r["code"] for r in done.ranking(done.search) if r["accuracy"] >= least]
        seen = codes(page)
        return 0 < len(seen) and len(want) < 81 and seen == want[:len(seen)] and f"{len(want)} architectures" in page.text()
    page.wait("the best only", the_best_only)


def test_decisions_options_and_what_the_best_share(done, page):
    items = done.api("GET", f"/searches/{done.search}/importance", params={"top": 10})["items"]
    page.sign_in(done)
    page.open(f"{done.url}/searches/{done.search}?tab=decisions&top=10")
    page.sees("What the best 10 have in common")
    page.wait("bars", lambda: len(page.all(".bar-row")) == 4)
    page.wait("the shares in the cells", lambda: page.js(
        "return [...document.querySelectorAll('.heat .cell-text')].map(t => Number(t.textContent))")
        == [round(100 * o["top_share"]) for i in items for o in i["options"]])
    best = max(items, key=lambda i: i["importance"])
    first = page.js("return document.querySelector('.bar-row').getAttribute('aria-label')")
    assert best["decision"] in first
    press(page, first)
    page.sees(f"Options of {best['decision']}")
    page.wait("its options only", lambda: len(page.all(".means .mean")) == 3)


def test_generations_and_the_log(done, page):
    page.sign_in(done)
    page.open(f"{done.url}/searches/{done.evolution}?tab=history")
    n = len(done.api("GET", f"/searches/{done.evolution}/generations")["items"])
    page.wait("generations", lambda: len(page.all(".generations .box")) == n > 1)
    page.sees("The search is done")
    page.sees("Job ")


def test_an_architecture_has_a_page(done, page):
    best = done.ranking(done.search)[0]["code"]
    page.sign_in(done)
    page.open(f"{done.url}/searches/{done.search}?code={best}")
    page.click("Open its page")
    page.wait("the drawing", lambda: len(page.all(".network .pick.on")) == 4)
    page.wait("what it chooses", lambda: page.js(
        "return [...document.querySelectorAll('.network .pick.on text')].map(t => t.firstChild.textContent)")
        == [["identity", "conv1", "conv3"][int(c)] for c in best])
    neighbours = done.api("GET", f"/searches/{done.search}/candidates/{best}/neighbours")["items"]
    page.wait("its neighbours", lambda: len(page.all("section[aria-labelledby=neighbours] tbody tr")) == len(neighbours) == 8)
    mine = done.ranking(done.search)[0]["accuracy"]
    want = {n["candidate"]["code"]: f"{100 * (n['candidate']['accuracy'] - mine):+.2f} %".replace("-", "−").replace("+0.00", "±0.00") for n in neighbours}
    assert page.js("""return Object.fromEntries([...document.querySelectorAll('section[aria-labelledby=neighbours] tbody tr')]
        .map(r => [r.querySelector('code').innerText, r.cells[3].innerText]))""") == want
    page.sees("Its scores in all searches")
    page.click(f"Compare with {neighbours[0]['candidate']['code']}")
    page.sees(f"They differ in one decision: {neighbours[0]['decision']}")
    page.wait("both networks", lambda: len(page.all(".network")) == 2 and len(page.all(".network .differs")) == 2)


def test_a_comparison_takes_any_architecture_of_the_space(done, page):
    code = done.ranking(done.evolution)[0]["code"]
    here = {r["code"] for r in done.ranking(done.evolution)}
    other = next(r["code"] for r in done.ranking(done.search) if r["code"] not in here)
    page.sign_in(done)
    page.open(f"{done.url}/searches/{done.evolution}/candidates/{code}?with={other}")
    page.sees("not scored in this search")
    page.wait("both networks", lambda: len(page.all(".network")) == 2)


def test_the_scatter_zooms_and_the_address_keeps_it(done, page):
    page.sign_in(done)
    page.open(f"{done.url}/searches/{done.search}")
    page.wait("the plot", lambda: page.all(".plot .u-over"))
    page.sees("81 architectures, ")
    page.drag(lambda: (page.one(".plot .u-over"), -60, -40), 120, 80, "the zoom in the address", lambda: "zoom=" in page.driver.current_url)
    page.click("See all")
    page.wait("no zoom", lambda: "zoom=" not in page.driver.current_url)


def test_every_chart_can_be_taken_along(done, page):
    page.sign_in(done)
    page.js("window.saved = []; const make = URL.createObjectURL; URL.createObjectURL = b => { window.saved.push([b.type, b.size]); return make.call(URL, b); }")
    page.js(f"history.pushState(null, '', '/searches/{done.search}?tab=decisions'); dispatchEvent(new PopStateEvent('popstate'))")
    page.wait("figures", lambda: len(page.all("figure.figure svg.drawn")) == 4)
    for kind, type in [("CSV", "text/csv"), ("SVG", "image/svg+xml"), ("PNG", "image/png")]:
        page.js("window.saved = []; [...document.querySelectorAll('figure.figure button')].filter(b => b.innerText === arguments[0]).forEach(b => b.click())", kind)
        page.wait(kind, lambda: [s[0] for s in page.js("return window.saved")] == [type] * 4 and all(s[1] > 100 for s in page.js("return window.saved")))
