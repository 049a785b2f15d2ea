"""Beyond one search: comparing searches, another search as truth, a worker's page, images, backup, notes, undo."""
import pytest

import scripted
import tiny
from cluster import dashboard


@pytest.fixture(scope="module")
def two(built):
    """The whole space under one policy, a sample of it under another."""
    c = dashboard()
    parts = tiny.fill(c)
    c.first = tiny.search(c, parts, name="all", notes="# Why\n\nA **bold** [link](https://example.org), <img src=x onerror=alert(1)> and [bad](javascript:alert(1)).")["id"]
    c.worker = scripted.ScriptedWorker(c, "node1")
    c.worker.work()
    c.second = tiny.search(c, parts, name="fewer images", strategy={"name": "random", "count": 40},
                           evaluation={"split": "val", "images": 100, "batch_size": 50, "first": 0})["id"]
    c.worker.work()
    yield c
    c.close()


def test_searches_are_laid_side_by_side(two, page):
    page.sign_in(two)
    page.click("Compare")
    page.sees("Pick the searches")
    for name in ["all", "fewer images"]:
        page.tick(name)
    page.wait("both in the address", lambda: f"searches={two.first}%2C{two.second}" in page.driver.current_url)
    page.wait("both as stairs in both charts", lambda: len(page.all("path.stair")) == 4)
    best = {r["code"] for r in two.ranking(two.first)[:100]} & {r["code"] for r in two.ranking(two.second)[:100]}
    page.sees(f"{len(best)} of 40")


def test_another_search_stands_for_the_truth(two, page):
    page.sign_in(two)
    page.open(f"{two.url}/searches/{two.second}?tab=trust")
    page.choose("Or take another search’s scores as known", "all")
    page.tick("Also for the 1 other search over this space")
    page.click("Take its scores")
    page.told("40 known accuracies match")
    page.sees("Over 40 architectures")
    tau = two.api("GET", f"/searches/{two.second}/correlation")["score"]["tau_b"]["value"]
    page.sees(f"{tau:.3f}")
    two.api("PUT", f"/searches/{two.first}/truth", {"accuracies": {r["code"]: r["accuracy"] + i % 3 for i, r in enumerate(two.ranking(two.first))}})
    page.driver.refresh()
    page.sees("The same under other policies")
    page.sees("Agreement against the number of scored images")
    page.wait("a mark for each search", lambda: len(page.all(".grown")) == 2 and len(page.all(".grown.own")) == 1)
    at = page.js("return [...document.querySelectorAll('.grown title')].map(t => t.textContent)")
    assert sorted(t.split(":")[0] for t in at) == ["all", "fewer images"] and any(f": {tau:.3f}, 95 %" in t for t in at)


def test_a_worker_has_a_page_with_its_history(two, page):
    page.sign_in(two)
    page.click("Workers")
    page.click("node1")
    page.sees("Finished jobs")
    jobs = two.api("GET", f"/workers/{two.worker.id}/jobs", params={"limit": 1000})["items"]
    page.wait("every job", lambda: len(page.all(".twin.tall tbody tr")) == len(jobs) > 1)
    page.wait("a speed for each", lambda: len(page.all(".speed")) == len(jobs))
    ms, n = jobs[0]["wall_ms"], jobs[0]["candidates"]
    assert page.js("return document.querySelector('.twin.tall tbody tr').cells[7].innerText") == f"{1000 * n / ms:.1f} / s"


def test_images_are_shown_as_the_network_sees_them(two, page):
    page.sign_in(two)
    page.open(f"{two.url}/library/datasets/1")
    page.wait("twelve images", lambda: len(page.all(".samples canvas")) == 12)
    # Each picture's bright quarter is its label (tiny.pictures).
    quarters = """return [...document.querySelectorAll('.samples canvas')].map(c => {
      const d = c.getContext('2d').getImageData(0, 0, 8, 8).data, sums = [0, 0, 0, 0];
      for (let y = 0; y < 8; y++) for (let x = 0; x < 8; x++) sums[2 * (y >> 2) + (x >> 2)] += d[4 * (8 * y + x)];
      return sums.indexOf(Math.max(...sums)); })"""
    names = ["north-west", "north-east", "south-west", "south-east"]
    page.wait("pictures as their labels say", lambda: page.js("return [...document.querySelectorAll('.samples figcaption')].map(f => f.innerText.split(' · ')[1])")
              == [names[b] for b in page.js(quarters)])
    page.click("Later")
    page.wait("the next ones", lambda: page.js("return document.querySelector('.samples figcaption').innerText").startswith("12 "))


def test_notes_are_markdown_and_cannot_act(two, page):
    page.sign_in(two)
    page.open(f"{two.url}/searches/{two.first}?tab=settings")
    page.wait("bold", lambda: page.one(".markdown strong").text == "bold")
    assert page.one(".markdown h3").text == "Why"
    assert [a.get_attribute("href") for a in page.all(".markdown a")] == ["https://example.org/"]
    assert not page.all(".markdown img") and "<img src=x" in page.one(".markdown").text
    page.click("Searches")
    page.wait("how they begin, in the list", lambda: [e.text for e in page.all("tbody .first-line")] == ["Why"])


def test_a_deletion_can_be_undone(two, page):
    gone = tiny.search(two, {"checkpoint": 1, "dataset": 1}, name="short-lived", strategy={"name": "random", "count": 1})["id"]
    two.api("POST", f"/searches/{gone}/cancel")
    page.sign_in(two)
    page.hold(8000)  # the time to think it over passes when told to

    def delete():
        page.open(f"{two.url}/searches/{gone}")
        page.click("Delete")
        page.wait("the question", lambda: page.all("dialog"))
        page.js("[...document.querySelectorAll('dialog button')].find(b => b.innerText === 'Delete').click()")
        page.wait("the list without it", lambda: page.driver.current_url.endswith("/searches") and "short-lived" not in page.js("return document.querySelector('main').innerText"))

    delete()
    page.click("Undo")
    page.wait("it is back", lambda: "short-lived" in page.js("return document.querySelector('main').innerText"))
    page.js("window.asked = []; const plain = fetch; window.fetch = (...a) => (window.asked.push(a[1]?.method), plain(...a)); window.pass()")
    page.rest(100)
    assert "DELETE" not in page.js("return window.asked") and two.call("GET", f"/searches/{gone}")[0] == 200
    delete()
    page.js("window.pass()")
    page.wait("it is gone for good", lambda: two.call("GET", f"/searches/{gone}")[0] == 404)


def test_the_administrator_sees_work_and_storage_and_backs_up(two, page):
    page.sign_in(two)
    page.click("Admin")
    page.sees("Architectures scored")
    page.sees("Disk left")
    page.click("Back up now")
    page.sees("The last one ended")
    assert two.api("GET", "/backup")["state"] == "done"
