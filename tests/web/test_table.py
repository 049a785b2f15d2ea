"""The ranking as a long table: more rows than a browser can stack, elements used again, small and large steps."""
import pytest

import many
from cluster import dashboard
from selenium.webdriver.common.keys import Keys

N = 150_000  # of 34 pixels: more than the scrolled space holds
HEIGHT = 34


@pytest.fixture(scope="module")
def long(built):
    c = dashboard()
    _, c.search = many.fill(c, N)
    yield c
    c.close()


def rows(page):
    """{index: code} of the loaded rows inside the table's view, and the same index by their place on the screen."""
    return {int(i): code for i, code in page.js("""
      const box = document.querySelector('.vbody').getBoundingClientRect();
      return [...document.querySelectorAll('.vrow:not(.ghost)')].filter(r => {
        const b = r.getBoundingClientRect(); return b.top >= box.top - 1 && b.bottom <= box.bottom + 1;
      }).map(r => [r.ariaRowIndex - 2, r.querySelector('.col-code').innerText.trim()])""")}


def true(c, offset, n=1):
    items = c.api("GET", f"/searches/{c.search}/ranking", params={"offset": offset, "limit": n})["items"]
    return [r["code"] for r in items]


def settled(page, wanted=lambda seen: True):
    """The rows in view once they are all there, rest and are as wanted."""
    def ask():
        seen = rows(page)
        if len(seen) < 16 or page.all(".vrow.ghost") or not wanted(seen):
            return None
        page.rest(300)
        return seen if rows(page) == seen else None
    return page.wait("the rows in view", ask)


def at_top(seen):
    return min(seen) == 0


def at_bottom(seen):
    return max(seen) == N - 1


def open_table(long, page):
    page.sign_in(long)
    page.open(f"{long.url}/searches/{long.search}")
    return settled(page)


def test_an_even_selection_is_asked_for_before_any_order_is_made(long):
    """The first test of the file: nobody has looked at the ranking yet."""
    some = long.api("GET", f"/searches/{long.search}/choices", params={"limit": 7})
    places = [i * (N - 1) // 6 for i in range(7)]
    assert some["total"] == N and some["code"] == [true(long, place)[0] for place in places]


def test_both_ends_of_a_long_table_are_reached_by_key(long, page):
    assert open_table(long, page)[0] == true(long, 0)[0]
    page.type(".vtable", Keys.END)
    assert settled(page, at_bottom)[N - 1] == true(long, N - 1)[0]
    page.type(".vtable", Keys.ARROW_UP, Keys.ENTER)
    page.wait("the row above the last", lambda: page.one("dialog .code-full").text == true(long, N - 2)[0])
    page.type("dialog", Keys.ESCAPE)
    page.wait("it to close", lambda: not page.all("dialog"))
    page.type(".vtable", Keys.HOME)
    settled(page, at_top)


def test_both_ends_of_a_long_table_are_reached_by_the_bar(long, page):
    open_table(long, page)
    for share in [.31, .73]:
        page.js("const b = document.querySelector('.vbody'); b.scrollTop = b.scrollHeight * arguments[0]", share)
        page.js("const b = document.querySelector('.vbody'); b.scrollTop = b.scrollHeight")
        settled(page, at_bottom)
        page.js("document.querySelector('.vbody').scrollTop = 0")
        settled(page, at_top)


def test_small_steps_move_by_rows_and_the_bar_by_share(long, page):
    open_table(long, page)
    page.js("const b = document.querySelector('.vbody'); b.scrollTop = (b.scrollHeight - b.clientHeight) / 2")
    middle = settled(page, lambda seen: abs(min(seen) - N / 2) < 30)
    page.js("document.querySelector('.vbody').scrollTop += 10 * arguments[0]", HEIGHT)
    after = settled(page, lambda seen: min(seen) - min(middle) == 10)
    assert [after[i] for i in sorted(after)] == true(long, min(after), len(after))
    # The bar was put where it belongs, and nothing in view moved: the same step back leads to the same rows.
    page.js("document.querySelector('.vbody').scrollTop -= 10 * arguments[0]", HEIGHT)
    settled(page, lambda seen: seen == middle)


def test_scrolling_uses_the_same_elements_again(long, page):
    open_table(long, page)
    page.js("window.kept = [...document.querySelectorAll('.vrow')]; document.querySelector('.vbody').scrollTop += 3000")
    settled(page, lambda seen: min(seen) > 80)
    assert page.js("""const now = [...document.querySelectorAll('.vrow')];
                      return now.filter(r => window.kept.includes(r)).length / now.length""") > .7


def test_places_passed_by_the_bar_are_not_asked_for(long, page):
    open_table(long, page)
    page.js("performance.clearResourceTimings()")
    # Between two of these steps the page draws, but no timer runs, however slow the machine is.
    page.driver.execute_async_script("""const done = arguments[0], b = document.querySelector('.vbody'); let n = 0;
      (function step() {
        b.scrollTop = ++n * 50000;
        b.dispatchEvent(new Event('scroll'));
        n < 40 ? Promise.resolve().then().then().then(step) : done();
      })()""")
    settled(page, lambda seen: min(seen) > 40 * 50000 / HEIGHT)
    asked = page.js("return performance.getEntriesByType('resource').filter(e => e.name.includes('/ranking')).length")
    assert asked <= 6


def test_a_page_reads_everything_once(long, page):
    page.sign_in(long)
    page.hold(300)  # looks wait for the stream, however late it opens
    page.open(f"{long.url}/searches/{long.search}")
    settled(page)
    page.wait("the charts", lambda: len(page.all(".plot canvas")) == 2)
    page.sees("Live")
    page.rest(800)
    names = page.js("return performance.getEntriesByType('resource').map(e => e.name)")
    asked = [n for n in names if "/api/v1/" in n]
    assert len(asked) == len(set(asked)) >= 5


# The event stream opens when this is true; `calls` tells when it did, among what was asked.
LATE = """
const plain = window.fetch, later = window.setTimeout;
window.calls = [];
window.fetch = async (url, init) => {
  if (!String(url).endsWith('/events')) { window.calls.push(String(url)); return plain(url, init); }
  while (!(%s)) await new Promise(resolve => later(resolve, 20));
  const answer = await plain(url, init);
  window.calls.push('open');
  return answer;
};
"""


@pytest.mark.parametrize("late", [False, True])
def test_no_change_falls_between_a_look_and_the_stream(long, page, late):
    """A look waits for the stream, and is repeated when it could not wait so long."""
    page.sign_in(long)
    page.before(LATE % ("calls.some(c => c.includes('/ranking'))" if late else "true"))
    if not late:
        page.hold(300)
    page.open(f"{long.url}/searches/{long.search}")
    settled(page)

    def looks():
        """For each look at the ranking: was the stream open?"""
        calls = page.js("return window.calls")
        return ["open" in calls[:i] for i, c in enumerate(calls) if "/ranking" in c]

    page.wait("a look after it was open, and one before if it was late", lambda: looks() == ([False, True] if late else [True]))


def test_a_key_held_down_opens_a_row_and_presses_nothing_in_it(long, page):
    open_table(long, page)
    page.type(".vtable", Keys.ARROW_DOWN)

    def enter(kind, **more):
        page.driver.execute_cdp_cmd("Input.dispatchKeyEvent", {
            "type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, **more})

    enter("rawKeyDown")
    page.wait("the row", lambda: page.js("return document.querySelector('dialog:modal .code-full')?.innerText") == true(long, 1)[0])
    enter("char", text="\r")  # the rest of the first key press, and then the next, come when the row is open
    enter("rawKeyDown", autoRepeat=True)
    enter("char", text="\r", autoRepeat=True)
    enter("keyUp")
    page.rest(300)
    assert page.all("dialog:modal")
