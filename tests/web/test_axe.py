"""Every page for everybody: axe-core finds nothing serious, what can be used has a name and is reached by key, and nothing
is cut off on a narrow screen."""
import pytest
from selenium.webdriver.common.keys import Keys

import scripted
import tiny
from cluster import ROOT, dashboard, space_document

AXE = ROOT / "webui" / "node_modules" / "axe-core" / "axe.min.js"
PAGES = ["/searches", "/searches/new", "/searches/1", "/searches/1?group=class", "/searches/1?code=2222", "/searches/1?tab=decisions&choices=0:1",
         "/searches/2?tab=history", "/searches/1?tab=trust", "/searches/1?tab=settings", "/searches/1/candidates/2222",
         "/searches/1/candidates/2222?with=2221", "/compare", "/compare?searches=1,2", "/workers", "/workers/1", "/library/spaces", "/library/spaces/1",
         "/library/checkpoints", "/library/checkpoints/1", "/library/datasets", "/library/datasets/1", "/admin", "/nowhere"]


@pytest.fixture(scope="module")
def full(built):
    c = dashboard()
    parts = tiny.fill(c)
    c.long = c.api("POST", "/spaces", {"name": "options of many words", "document": space_document("gold-nas")})["id"]
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
    page.loaded()
    return violations(page)


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("look", ["light", "dark"])
def test_no_serious_violation_on_any_page(full, page, look, width):
    page.sign_in(full)
    page.look(width, 900, look == "dark")
    bad = {where: found for where in PAGES if (found := check(page, full.url, where))}
    assert not bad, "\n".join(f"{where}: {v}" for where, found in bad.items() for v in found)


def test_no_serious_violation_before_signing_in(full, page):
    page.open(full.url)
    page.one("input[name=token]")
    assert violations(page) == []


USED = {"button", "link", "textbox", "searchbox", "combobox", "checkbox", "radio", "tab", "grid", "img", "image", "progressbar", "dialog",
        "spinbutton", "columnheader"}


def test_whatever_can_be_used_has_a_name(full, page):
    page.sign_in(full)
    page.driver.execute_cdp_cmd("Accessibility.enable", {})
    nameless = []
    for where in PAGES:
        page.open(full.url + where)
        page.loaded()
        for node in page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]:
            role = node.get("role", {}).get("value")
            if not node.get("ignored") and role in USED and not node.get("name", {}).get("value", "").strip():
                nameless.append((where, role, [p["name"] for p in node.get("properties", [])]))
    page.driver.execute_cdp_cmd("Accessibility.disable", {})
    assert not nameless


# Whatever reaches beyond the right edge, unless it can be scrolled there.
CUT_OFF = """
const scrolls = e => e && e !== document.body && (/auto|scroll/.test(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
return [...document.querySelectorAll('header.top *, main *')].filter(e => {
  const box = e.getBoundingClientRect();
  return box.width > 1 && box.right > innerWidth + 1 && !e.closest('.sr') && !scrolls(e.parentElement);
}).map(e => e.outerHTML.slice(0, 120));
"""


@pytest.mark.parametrize("width", [1440, 1000, 730])
def test_no_table_sticks_out_of_its_panel(full, page, width):
    page.sign_in(full)
    page.look(width, 900)
    for where in ["/searches/1?tab=trust", "/searches/1/candidates/2222", "/admin", "/library/spaces/1"]:
        page.open(full.url + where)
        page.loaded()
        page.one(".panel table.list")
        out = page.js("""return [...document.querySelectorAll('.panel table.list')].map(t => [t.innerText.slice(0, 80),
            Math.round(t.getBoundingClientRect().right - t.closest('.panel').getBoundingClientRect().right)]).filter(([, by]) => by > 0)""")
        assert not out, (where, out)


@pytest.mark.parametrize("width", [390, 768])
def test_nothing_is_cut_off_on_a_narrow_screen(full, page, width):
    page.sign_in(full)
    page.look(width, 844)
    cut = {}
    for where in PAGES + [f"/library/spaces/{full.long}"]:
        page.open(full.url + where)
        page.loaded()
        if found := page.js(CUT_OFF):
            cut[where] = found[:3]
    assert not cut
    reaches = page.js("const n = document.querySelector('header.top nav'); return [n.scrollWidth, n.clientWidth]")
    assert reaches[0] <= reaches[1], "the navigation does not fit"


OVERLAPS = """
const boxes = [...document.querySelectorAll('svg.network text')].filter(t => t.textContent.trim()).map(t => [t, t.getBoundingClientRect()]);
return boxes.flatMap(([a, x], i) => boxes.slice(i + 1).filter(([b, y]) => a.ownerSVGElement === b.ownerSVGElement
  && Math.min(x.right, y.right) - Math.max(x.left, y.left) > 1 && Math.min(x.bottom, y.bottom) - Math.max(x.top, y.top) > 3)
  .map(([b]) => [a.textContent, b.textContent]));
"""


@pytest.mark.parametrize("width", [1600, 1440, 1100, 390])
def test_words_of_a_drawn_network_stand_apart(full, page, width):
    page.sign_in(full)
    page.look(width, 900)
    for where in ["/library/spaces/1", "/searches/1/candidates/2222", "/searches/1/candidates/2222?with=2221"]:
        page.open(full.url + where)
        page.loaded()
        page.wait("the drawing", lambda: page.all("svg.network .pick"))
        assert page.js(OVERLAPS) == [], where


def focused(page):
    return page.js("""const e = document.activeElement, s = getComputedStyle(e);
      return {name: e.getAttribute('aria-label') ?? e.innerText.trim(), role: e.getAttribute('role') ?? e.tagName.toLowerCase(),
              seen: s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0 || s.boxShadow !== 'none'
                || e.tagName === 'g' && parseFloat(getComputedStyle(e.querySelector('rect')).strokeWidth) >= 2}""")


def test_a_search_is_used_by_keyboard_alone(full, page):
    def press(*keys):
        for key in keys:
            page.driver.switch_to.active_element.send_keys(key)

    def go(name, role):
        """Tab by tab to it; whatever has the focus on the way shows it."""
        way = []
        for _ in range(60):
            press(Keys.TAB)
            at = focused(page)
            way.append(at["name"])
            if at["role"] not in ("body", "rowgroup"):  # the table's body shows its focus on the active row
                assert at["seen"], at
            if (at["name"], at["role"]) == (name, role):
                return
        raise AssertionError(f"no way to {role} {name!r}: {way}")

    page.sign_in(full)
    page.open(full.url + "/searches/1")
    page.wait("the table and the charts", lambda: len(page.all(".vrow:not(.ghost)")) > 10 and len(page.all(".plot canvas")) == 2)
    go("ranking", "grid")
    press(Keys.ARROW_DOWN, Keys.ENTER)
    second = full.ranking(1)[1]["code"]
    page.wait("the second of the ranking", lambda: page.one("dialog[open] .code-full").text == second)
    press(Keys.ESCAPE)
    page.wait("the focus back in the table", lambda: not page.all("dialog") and focused(page)["role"] == "grid")
    page.driver.refresh()
    page.wait("the tabs", lambda: page.all("[role=tab]"))
    go("Ranking", "tab")
    press(Keys.ARROW_RIGHT)
    page.wait("the next tab", lambda: "tab=decisions" in page.driver.current_url and focused(page)["name"] == "Decisions")
    page.wait("the options", lambda: page.all(".parallel g[role=button]"))
    go("layer[0]: conv3", "button")
    press(Keys.ENTER)
    page.wait("the option marked", lambda: "choices=0%3A2" in page.driver.current_url)
