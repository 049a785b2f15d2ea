"""A search from its form to its ranking: live rows, sorting, filters, charts, candidate, trust, and steering it."""
import csv
import io
import json

import pytest

import scripted
import tiny
from cluster import dashboard


@pytest.fixture()
def ready(coordinator):
    coordinator.parts = tiny.fill(coordinator)
    return coordinator


@pytest.fixture(scope="module")
def done(built):
    """A finished search over the whole space, shared by the tests that only look."""
    c = dashboard()
    c.search = tiny.search(c, tiny.fill(c))
    assert scripted.ScriptedWorker(c).work() == 81
    yield c
    c.close()


def rows(page):
    return page.js("return [...document.querySelectorAll('.vrow:not(.ghost)')].map(r => [...r.querySelectorAll('.vcell')].map(c => c.innerText.trim()))")


def codes(page):
    return [r[1] for r in rows(page)]


def test_the_form_starts_a_search_and_rows_come_by_themselves(ready, page):
    worker = scripted.ScriptedWorker(ready)
    page.sign_in(ready)
    page.click("New search")
    page.fill("Name", "by form")
    page.js("[...document.querySelectorAll('.card')].find(c => c.textContent.includes('Random')).click()")
    page.fill("Architectures", "30")
    page.fill("Batches", "2")
    page.fill("Images", "200")
    body = json.loads(page.one(".sticky pre").text.split("-d '")[1].rstrip("'"))
    assert body["strategy"] == {"name": "random", "count": 30} and body["policy"]["batches"] == 2 and body["evaluation"]["images"] == 200
    page.click("Start the search")
    page.sees("Nothing is scored yet")
    made = ready.call("GET", "/searches")[1]["items"][0]
    assert made["name"] == "by form" and page.driver.current_url.endswith(f"/searches/{made['id']}")
    first = worker.work(at_least=1)
    page.wait("the first rows", lambda: len(rows(page)) >= min(first, 10))
    worker.work()
    page.sees("Done")
    page.sees("30 of 30")
    best = max(ready.ranking(made["id"]), key=lambda r: r["accuracy"])
    page.wait("the best on top", lambda: codes(page)[0] == best["code"])


def test_what_the_coordinator_refuses_is_shown_at_the_field(ready, page):
    page.sign_in(ready)
    page.open(ready.url + "/searches/new")
    page.fill("Name", "too much")
    page.fill("Images", "1000")
    page.fill("Batches", "1000")
    marked = lambda: [f.get_attribute("data-at") for f in page.all(".field.invalid")]
    page.click("Start the search")
    page.wait("the images marked", lambda: marked() == ["/evaluation/images"])
    page.fill("Images", "200")
    page.click("Start the search")
    page.wait("the batches marked", lambda: marked() == ["/policy/batches"])
    page.wait("the focus there", lambda: page.js("return document.activeElement.closest('.field')?.dataset.at") == "/policy/batches")
    assert ready.call("GET", "/searches")[1]["items"] == []


def test_the_coordinator_sorts_and_filters(done, page):
    page.sign_in(done)
    page.open(f"{done.url}/searches/{done.search['id']}")
    page.wait("rows", lambda: len(rows(page)) > 10)
    by_accuracy = [r["code"] for r in done.ranking(done.search["id"], sort="accuracy", order="desc")]
    assert codes(page)[:10] == by_accuracy[:10]
    page.one("button[title='Sort by multiply-accumulates']").click()
    cheapest = [r["code"] for r in done.ranking(done.search["id"], sort="macs", order="asc")]
    page.wait("the cheapest first", lambda: codes(page)[:5] == cheapest[:5])
    assert "sort=macs" in page.driver.current_url
    page.driver.refresh()
    page.wait("the same view after a reload", lambda: codes(page)[:5] == cheapest[:5])
    page.one("input[aria-label='Code begins with']").send_keys("22")
    page.wait("only these", lambda: codes(page) and all(c.startswith("22") for c in codes(page)) and len(codes(page)) == 9)


def test_isomorphic_codes_are_grouped_with_their_spread(done, page):
    page.sign_in(done)
    page.open(f"{done.url}/searches/{done.search['id']}?group=class")
    classes = done.api("GET", f"/searches/{done.search['id']}/classes", params={"limit": 1000})["items"]
    several = sum(c["n"] > 1 for c in classes)
    widest = max(c["max"] - c["min"] for c in classes)
    page.sees(f"{len(classes)} classes of isomorphic architectures; {several} with several codes")
    page.sees(f"(at most {100 * widest:.2f} %)")
    assert 0 < several < len(classes) < 81
    assert [r[1] for r in rows(page)][:9] == [c["class"][:8] for c in classes[:9]]


def test_a_row_opens_its_architecture_and_escape_closes_it(done, page):
    from selenium.webdriver.common.keys import Keys
    page.sign_in(done)
    page.open(f"{done.url}/searches/{done.search['id']}")
    page.wait("rows", lambda: len(rows(page)) > 10)
    code = codes(page)[2]
    body = page.one(".vtable")
    body.send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ENTER)
    page.wait("the panel", lambda: page.all("dialog[open] .code-full"))
    assert page.one("dialog .code-full").text == code
    page.sees("Statistics digest")
    page.sees("stem.0")
    page.one("dialog").send_keys(Keys.ESCAPE)
    page.wait("it to close", lambda: not page.all("dialog"))


def test_charts_are_drawn_and_have_a_table_twin(done, page):
    page.sign_in(done)
    page.open(f"{done.url}/searches/{done.search['id']}")
    page.wait("two charts", lambda: len(page.all(".plot canvas")) == 2)
    painted = "const c=arguments[0]; const d=c.getContext('2d').getImageData(0,0,c.width,c.height).data; let n=0; for(let i=3;i<d.length;i+=4) n+=d[i]>0; return n"
    page.wait("paint", lambda: all(page.js(painted, c) > 2000 for c in page.all(".plot canvas")))
    page.sees("on the Pareto front")
    page.click("Table")
    front = done.api("GET", f"/searches/{done.search['id']}/pareto", params={"cost": "macs"})["items"]
    page.wait("the twin", lambda: len(page.all(".twin tbody tr")) == 81)
    assert sum(r.text.endswith("yes") for r in page.all(".twin tbody tr")) == len(front)


def test_live_charts_end_as_after_a_reload(ready, page):
    search = tiny.search(ready, ready.parts)
    worker = scripted.ScriptedWorker(ready)
    page.sign_in(ready)
    page.open(f"{ready.url}/searches/{search['id']}")
    page.sees("Points appear as soon as")
    pictures = lambda: page.js("return [...document.querySelectorAll('.plot canvas')].map(c => c.toDataURL())")
    worker.work(at_least=1)
    page.wait("two charts", lambda: len(page.all(".plot canvas")) == 2)
    worker.work()
    page.sees("81 of 81")
    page.sees("81 architectures, ")
    page.rest(2500)  # charts follow within this
    live = pictures()
    page.driver.refresh()
    page.wait("the same pictures", lambda: len(pictures()) == 2 and pictures() == live)


def test_known_accuracies_tell_whether_to_trust(done, page, tmp_path):
    ranking = done.ranking(done.search["id"])
    out = io.StringIO()
    csv.writer(out).writerows([["code", "accuracy"]] + [[r["code"], r["accuracy"] * 100 - (i % 7)] for i, r in enumerate(ranking)])
    (tmp_path / "truth.csv").write_text(out.getvalue())
    page.sign_in(done)
    page.open(f"{done.url}/searches/{done.search['id']}?tab=trust")
    page.sees("No known accuracies yet")
    page.field("Known accuracies").send_keys(str(tmp_path / "truth.csv"))
    page.sees("Kendall")
    tau = done.api("GET", f"/searches/{done.search['id']}/correlation")["score"]["tau_b"]["value"]
    page.sees(f"{tau:.3f}")
    page.sees("Over 81 architectures")


def test_pause_resume_cancel_and_delete(ready, page):
    search = tiny.search(ready, ready.parts)
    page.sign_in(ready)
    page.open(f"{ready.url}/searches/{search['id']}")
    state = lambda: ready.call("GET", f"/searches/{search['id']}")[1].get("state")
    page.click("Pause")
    page.wait("paused", lambda: state() == "paused")
    page.click("Resume")
    page.wait("running", lambda: state() == "running")
    page.click("Cancel")
    page.click("Cancel the search")
    page.wait("cancelled", lambda: state() == "cancelled")
    page.click("Delete")
    page.sees("this cannot be taken back")
    page.js("[...document.querySelectorAll('dialog button')].find(b => b.innerText === 'Delete').click()")
    page.wait("the list", lambda: page.driver.current_url.endswith("/searches"))
    page.wait("the time to undo to pass", lambda: ready.call("GET", f"/searches/{search['id']}")[0] == 404)


def test_a_failed_search_says_why(ready, page):
    search = tiny.search(ready, ready.parts)
    page.sign_in(ready)
    page.open(f"{ready.url}/searches/{search['id']}")
    worker = scripted.ScriptedWorker(ready)
    worker.fail(worker.lease()[0], "corrupt", "classifier.weight", "holds NaN")
    page.sees("The search stopped")
    page.sees("holds NaN")


def test_a_duplicate_starts_from_the_old_settings(done, page):
    page.sign_in(done)
    page.open(f"{done.url}/searches/{done.search['id']}")
    page.click("Duplicate")
    page.wait("the old name", lambda: page.field("Name").get_attribute("value") == "all of tiny (again)")
    body = json.loads(page.one(".sticky pre").text.split("-d '")[1].rstrip("'"))
    assert body["strategy"] == {"name": "exhaustive"} and body["evaluation"]["images"] == 200
