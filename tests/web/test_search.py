"""A search from its form to its ranking: live rows, sorting, filters, charts, candidate, trust, and steering it."""
import csv
import io
import itertools
import json
import re

import pytest
from selenium.webdriver.common.keys import Keys

import scripted
import tiny
from cluster import dashboard
from page import GATE


@pytest.fixture()
def ready(coordinator):
    coordinator.parts = tiny.fill(coordinator)
    return coordinator


@pytest.fixture(scope="module")
def done(built):
    """A finished search over the whole space, shared by the tests that only look."""
    c = dashboard()
    c.search = tiny.search(c, tiny.fill(c))
    first, second = scripted.ScriptedWorker(c), scripted.ScriptedWorker(c, "other")
    n = first.work(at_least=20)
    assert n + second.work() == 81 and n < 81
    yield c
    c.close()


def rows(page):
    return page.js("return [...document.querySelectorAll('.vrow:not(.ghost)')].map(r => [...r.querySelectorAll('.vcell')].map(c => c.innerText.trim()))")


def codes(page):
    return [r[1] for r in rows(page)]


def asked(page):
    """The body of the request that the form shows as a command."""
    return json.loads(page.one(".sticky pre").text.split("-d '")[1].rstrip("'"))


def test_the_form_starts_a_search_and_rows_come_by_themselves(ready, page):
    worker = scripted.ScriptedWorker(ready)
    page.sign_in(ready)
    page.click("New search")
    page.fill("Name", "by form")
    page.js("[...document.querySelectorAll('.card')].find(c => c.textContent.includes('Random')).click()")
    page.fill("Architectures", "30")
    page.fill("Batches", "2")
    page.fill("Images", "200")
    page.wait("the same as a command", lambda: (body := asked(page))["strategy"] == {"name": "random", "count": 30}
              and body["policy"]["batches"] == 2 and body["evaluation"]["images"] == 200)
    pick = lambda name: page.js("[...document.querySelectorAll('.card')].find(c => c.innerText.startsWith(arguments[0])).click()", name)
    pick("Stored")
    page.wait("no calibration", lambda: asked(page)["policy"] == {"average": "none"})
    pick("Moving average")
    page.wait("an average with a momentum", lambda: (p := asked(page)["policy"])["average"] == "ema" and p["momentum"] > 0 and p["batches"] == 2)
    pick("Cumulative")
    page.wait("one without", lambda: (p := asked(page)["policy"])["average"] == "cumulative" and "momentum" not in p)
    page.click("Start the search")
    page.sees("Nothing is scored yet")
    made = ready.call("GET", "/searches")[1]["items"][0]
    assert made["name"] == "by form" and page.driver.current_url.endswith(f"/searches/{made['id']}")
    first = worker.work(at_least=1)
    page.wait("the first rows", lambda: len(rows(page)) >= min(first, 10))
    worker.work()
    page.sees("Done")
    page.sees("30 of 30")
    page.sees("Mean rate")
    page.sees("Took")
    best = max(ready.ranking(made["id"]), key=lambda r: r["accuracy"])
    page.wait("the best on top", lambda: codes(page)[0] == best["code"])


def test_what_changes_during_a_look_is_looked_at_again(ready, page):
    search = tiny.search(ready, ready.parts)
    worker = scripted.ScriptedWorker(ready)
    page.before(GATE)
    page.sign_in(ready)
    page.open(f"{ready.url}/searches/{search['id']}")
    page.sees("Nothing is scored yet")
    page.sees("Live")
    page.js("window.gate = '/ranking'")
    first = worker.work(at_least=1)
    page.wait("an answer that is late", lambda: page.js("return window.held.length"))
    worker.work()
    page.sees("81 of 81")
    page.at_rest()  # all else has noticed the rest of the scores
    page.js("window.open_gate()")
    best = ready.ranking(search["id"])
    assert first < len(best)
    page.sees("81 architectures.")
    page.wait("all rows", lambda: codes(page)[:10] == [r["code"] for r in best[:10]])


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


def test_the_form_says_how_much_of_the_space_the_limits_leave(ready, page):
    space = ready.call("GET", "/spaces")[1]["items"][0]
    costs = sorted(ready.api("POST", f"/spaces/{space['id']}/plan", {"code": "".join(code)})["macs"]
                   for code in itertools.product("012", repeat=tiny.LAYERS))
    page.sign_in(ready)
    page.open(ready.url + "/searches/new")
    told = lambda: page.one(".feasible").text
    page.wait("the whole space", lambda: told() == "Without limits all 81 architectures may be proposed.")
    page.fill("MACs at most", str(costs[30]))
    n = sum(c <= costs[30] for c in costs)
    page.wait("how many fit", lambda: told() == f"{n} of 81 architectures fit: {100 * n / 81:.1f} %.")
    page.fill("MACs at least", str(costs[30]))
    n = costs.count(costs[30])
    page.wait("how many fit both", lambda: told().startswith(f"{n} of 81 architectures fit:"))
    page.fill("MACs at least", "1")
    page.fill("MACs at most", str(costs[0] - 1))
    page.wait("which one to loosen", lambda: told().startswith("None of the 81 architectures fits. Loosen MACs ≤"))
    assert "the smallest has" in told()
    page.fill("MACs at most", "plenty")
    page.wait("silence until it is a number", lambda: not page.all(".feasible"))


def test_the_form_estimates_what_is_left_of_a_space_too_large_to_count(coordinator, page):
    tiny.fill(coordinator, tiny.space_of(40), 40)
    page.sign_in(coordinator)
    page.open(coordinator.url + "/searches/new")
    told = lambda: page.one(".feasible").text
    page.wait("the whole space", lambda: told() == "Without limits all 1.21 × 10¹⁹ architectures may be proposed.")
    page.fill("MACs at most", "500k")
    words = r"About (\d\.\d) × 10¹⁸ of 1\.21 × 10¹⁹ architectures fit: ([\d.]+) % \(([\d.]+) % to ([\d.]+) %, from [\d\u202f]+ drawn\)"
    found = page.wait("an estimate with its interval", lambda: re.fullmatch(words, told()))
    about, share, low, high = map(float, found.groups())
    assert low < share < high and abs(about / 12.1 - share / 100) < .01
    page.fill("Parameters at most", "100")
    page.wait("what to loosen", lambda: re.match(r"None of [\d\u202f]+ drawn fits\. Loosen parameters ≤ 100 \(the least seen was [\d.]+ ?k?\)\.", told()))


def test_the_coordinator_sorts_and_filters(done, page):
    page.sign_in(done)
    page.open(f"{done.url}/searches/{done.search['id']}")
    by_accuracy = [r["code"] for r in done.ranking(done.search["id"], sort="accuracy", order="desc")]
    page.wait("the best first", lambda: codes(page)[:10] == by_accuracy[:10])
    page.press("button[title='Sort by multiply-accumulates']")
    cheapest = [r["code"] for r in done.ranking(done.search["id"], sort="macs", order="asc")]
    page.wait("the cheapest first", lambda: codes(page)[:5] == cheapest[:5])
    assert "sort=macs" in page.driver.current_url
    page.driver.refresh()
    page.wait("the same view after a reload", lambda: codes(page)[:5] == cheapest[:5])
    page.type("input[aria-label='Code begins with']", "22")
    page.wait("only these", lambda: codes(page) and all(c.startswith("22") for c in codes(page)) and len(codes(page)) == 9)
    assert "q=22" in page.driver.current_url
    page.type("input[aria-label='Code begins with']", Keys.BACKSPACE, Keys.BACKSPACE)
    page.wait("all of them, and an address without the limit", lambda: len(codes(page)) > 12 and "q=" not in page.driver.current_url)


def test_intervals_opinions_and_workers_are_sorted_and_filtered_too(done, page):
    search = done.search["id"]
    page.sign_in(done)
    page.open(f"{done.url}/searches/{search}?columns=interval.opinions.worker")
    for title, sort, order in [("width of the 95 % interval; the pale band is that of the best", "ci", "asc"),
                               ("whether other workers got the same", "replicas", "desc"), ("worker that scored it", "worker", "asc"),
                               ("worker that scored it", "worker", "desc")]:
        page.press(f"button[title='Sort by {title}']")
        want = [r["code"] for r in done.ranking(search, sort=sort, order=order)][:8]
        page.wait(f"rows by {sort}", lambda: f"sort={sort}" in page.driver.current_url and codes(page)[:8] == want)
        assert page.js("return document.querySelector('[aria-sort=ascending], [aria-sort=descending]').ariaSort").startswith(order)
    widths = [round(r["ci"][1] - r["ci"][0], 12) for r in done.ranking(search, sort="ci")]
    assert widths == sorted(widths) and widths[0] < widths[-1]
    workers = [r["worker"] for r in done.ranking(search)]
    worker = workers[0]
    page.click("Filter")
    inside = """const right = e => e.getBoundingClientRect().right, menu = document.querySelector('.filter-body');
      return [...menu.querySelectorAll('input, select')].every(e => right(e) <= right(menu))"""
    assert page.js(inside), "fields stick out of the menu"
    for label, bad, good in [("Worker, for example 1", str(max(workers) + 1), str(worker)), ("Generation at least, for example 3", "1", "0"),
                             ("Top-5 accuracy, % at most, for example 92", "99.5", "100")]:
        field = f"input[aria-label='{label}']"
        page.type(field, bad)
        page.wait(f"none for {label}", lambda: "No architecture matches the filter" in page.text())
        page.type(field, *len(bad) * [Keys.BACKSPACE], good)
        page.wait(f"all for {label}", lambda: f"{workers.count(worker)} architectures." in page.text())
    page.type("input[aria-label='Worker, for example 1']", "9")
    page.click("Clear the filter")
    page.sees("81 architectures.")


def test_rows_show_ties_and_their_intervals(done, page):
    ranking = done.ranking(done.search["id"])
    accuracies = [r["accuracy"] for r in ranking]
    tied = [accuracies.count(a) > 1 for a in accuracies]
    page.sign_in(done)
    page.open(f"{done.url}/searches/{done.search['id']}")

    def seen():
        return page.js("""return [...document.querySelectorAll('.vrow:not(.ghost)')].map(r => {
          const s = r.querySelector('.interval').style;
          return [r.querySelector('.tie') !== null, ...['--v', '--a', '--b'].map(p => parseFloat(s.getPropertyValue(p)))]; })""")
    page.wait("rows", lambda: len(seen()) > 12)
    lo, hi = (float(w) / 100 for w in re.match(r"(\d+) % to (\d+) %", page.js("return document.querySelector('.vhead .col-interval').innerText")).groups())
    place = lambda v: 2 + 96 * (v - lo) / (hi - lo)
    shown = seen()
    assert 0 < sum(tied[:len(shown)]) < len(shown) and [s[0] for s in shown] == tied[:len(shown)]
    for (_, *at), r in zip(shown, ranking):
        assert at == pytest.approx([place(r["accuracy"]), place(r["ci"][0]), place(r["ci"][1])], abs=.02)


def test_every_measure_narrows_the_ranking(done, page):
    every = done.ranking(done.search["id"])
    middle = sorted(r["accuracy"] for r in every)[40]
    cheap = sorted(r["macs"] for r in every)[50]
    page.sign_in(done)
    page.open(f"{done.url}/searches/{done.search['id']}")
    page.click("Filter")
    page.type("input[aria-label='Accuracy, % at least, for example 57.5']", f"{100 * middle:.4f}")
    want = [r["code"] for r in every if r["accuracy"] >= middle]
    page.sees(f"{len(want)} architectures.")
    page.type("input[aria-label='MACs at most, for example 300M']", str(cheap))
    want = [r["code"] for r in every if r["accuracy"] >= middle and r["macs"] <= cheap]
    page.sees(f"{len(want)} architectures.")
    assert 5 < len(want) < 41
    page.wait("only these", lambda: codes(page)[:5] == want[:5])
    page.driver.refresh()
    page.sees(f"{len(want)} architectures.")
    page.click("Filter (2)")
    page.wait("what was typed", lambda: page.one("input[aria-label^='Accuracy, % at least']").get_attribute("value") == f"{100 * middle:.4f}".rstrip("0").rstrip("."))
    loss = sorted(r["loss"] for r in every if r["code"] in want)[2]
    page.type("input[aria-label='Loss at most, for example 1.2']", repr(loss))
    page.wait("the three of least loss", lambda: len(codes(page)) == 3)
    page.choose("State", "failed")
    page.sees("No architecture matches the filter")
    page.click("Clear the filter")
    page.sees("81 architectures.")


def test_isomorphic_codes_are_grouped_with_their_spread(done, page):
    page.sign_in(done)
    page.open(f"{done.url}/searches/{done.search['id']}?group=class")
    classes = done.api("GET", f"/searches/{done.search['id']}/classes", params={"limit": 1000})["items"]
    several = sum(c["n"] > 1 for c in classes)
    widest = max(c["max"] - c["min"] for c in classes)
    page.sees(f"{len(classes)} classes of isomorphic architectures; {several} with several codes")
    page.sees(f"(at most {100 * widest:.2f} %)")
    assert 0 < several < len(classes) < 81
    page.wait("the classes", lambda: [r[1] for r in rows(page)][:9] == [c["class"][:8] for c in classes[:9]])


def test_a_row_opens_its_architecture_and_escape_closes_it(done, page):
    page.sign_in(done)
    page.open(f"{done.url}/searches/{done.search['id']}")
    page.wait("rows", lambda: len(rows(page)) > 10)
    code = codes(page)[2]
    page.type(".vtable", Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ENTER)
    page.wait("the panel", lambda: page.one("dialog[open] .code-full").text == code)
    page.sees("Statistics digest")
    page.sees("stem.0")
    page.type("dialog", Keys.ESCAPE)
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
    assert page.js("return [...document.querySelectorAll('.twin tbody tr')].filter(r => r.innerText.trim().endsWith('yes')).length") == len(front)


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
    page.sees("Done")
    front = len(ready.api("GET", f"/searches/{search['id']}/pareto", params={"cost": "macs"})["items"])
    page.sees(f"81 architectures, {front} on the Pareto front")
    n = len(ready.api("GET", f"/searches/{search['id']}/history")["items"])
    page.sees(f"the best changed {n} times.")
    page.at_rest()
    live = pictures()
    page.driver.refresh()
    page.wait("the same pictures", lambda: len(live) == 2 and pictures() == live)


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
    known = done.api("GET", f"/searches/{done.search['id']}/correlation")
    tau, rival = known["score"]["tau_b"], max((known[r]["tau_b"] for r in ("macs", "params")), key=lambda t: t["value"])
    page.sees(f"{tau['value']:.3f}")
    assert tau["lo"] > rival["hi"]
    page.sees("The supernet ranks clearly better than counting")
    page.sees(f"(τ-b {tau['value']:.3f} against {rival['value']:.3f})")
    page.sees("Over 81 architectures")
    page.sees("Among the true best 10 % (8)")
    cells = page.js("return [...document.querySelectorAll('table.correlation')].map(t => [...t.rows[1].cells].slice(1, 4).map(c => c.innerText))")
    for shown, want in zip(cells, (known["score"], known["top_decile"]["score"])):
        assert all(f"{want[k]['value']:.3f}" in text for k, text in zip(("tau_b", "spearman", "pearson"), shown)), (shown, want)
    page.wait("each by its known accuracy, the best tenth as squares", lambda: len(page.all(".agreement circle.known")) == 73 and len(page.all(".agreement rect.known.top")) == 8)
    names = page.js("return [...document.querySelectorAll('.agreement g > title')].map(t => t.textContent)")
    row = next(r for r in done.ranking(done.search["id"]) if names[0].startswith(r["code"]))
    assert names[0] == f"{row['code']}: score {100 * row['accuracy']:.2f} %, known {row['truth']:.10g}"


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


def test_a_late_answer_leaves_the_next_question_open(ready, page):
    search = tiny.search(ready, ready.parts)["id"]
    page.before(GATE)
    page.sign_in(ready)
    page.open(f"{ready.url}/searches/{search}")
    page.wait("the page", lambda: page.one("main h1"))
    page.js("window.gate = '/pause'")
    page.click("Pause")
    page.wait("an answer that is late", lambda: page.js("return window.held.length"))
    page.click("Cancel")
    page.sees("To stop for a while, pause it.")
    page.js("window.open_gate()")
    page.told("Paused")
    page.click("Cancel the search")
    page.wait("cancelled", lambda: ready.api("GET", f"/searches/{search}")["state"] == "cancelled")


def test_a_failed_search_says_why(ready, page):
    search = tiny.search(ready, ready.parts)
    page.sign_in(ready)
    page.open(f"{ready.url}/searches/{search['id']}")
    page.sees("Nothing is scored yet")
    worker = scripted.ScriptedWorker(ready)
    worker.fail(worker.lease()[0], "corrupt", "classifier.weight", "holds NaN")
    page.sees("The search stopped")
    page.sees("holds NaN")


def test_a_duplicate_starts_from_the_old_settings(done, page):
    page.sign_in(done)
    page.open(f"{done.url}/searches/{done.search['id']}")
    page.click("Duplicate")
    page.wait("the old name", lambda: page.field("Name").get_attribute("value") == "all of tiny (again)")
    page.wait("the old settings", lambda: (body := asked(page))["strategy"] == {"name": "exhaustive"} and body["evaluation"]["images"] == 200)
