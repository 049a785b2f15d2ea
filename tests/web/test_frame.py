"""Signing in and out, navigation, colours, and a coordinator that goes away and comes back."""
from selenium.webdriver.common.keys import Keys

import scripted
import tiny


def test_a_wrong_token_is_refused_in_words(shared, page):
    page.open(shared.url)
    page.type("input[name=token]", "sr_nonsense")
    page.click("Sign in")
    page.sees("The coordinator does not know this token")
    assert not page.all("header.top")


def test_a_join_token_is_for_machines(shared, page):
    page.open(shared.url)
    page.type("input[name=token]", shared.token("join"))
    page.click("Sign in")
    page.sees("Use one with the role read, submit or admin")


def test_sign_in_survives_a_reload_and_ends_with_sign_out(shared, page):
    page.sign_in(shared)
    page.sees("Live")
    page.driver.refresh()
    page.one("header.top")
    page.click("Sign out")
    page.one("input[name=token]")
    page.driver.refresh()
    page.one("input[name=token]")


def test_a_revoked_token_leads_back_to_the_door(shared, page):
    made = shared.api("POST", "/tokens", {"role": "read", "name": "short-lived"})
    page.sign_in(shared, made["secret"])
    status, _ = shared.call("DELETE", f"/tokens/{made['id']}")
    assert status == 204
    page.js("document.querySelector('nav a[href=\"/workers\"]')?.click()")  # unless the door has come by itself
    page.sees("The session is over")


def test_a_reader_is_not_offered_what_would_be_refused(shared, page):
    made = shared.api("POST", "/tokens", {"role": "read", "name": "reader"})
    page.sign_in(shared, made["secret"])
    page.sees("reader")  # who this is has been told
    page.sees("No search yet")
    assert "Admin" not in page.text()
    assert "New search" not in page.text()
    page.open(shared.url + "/admin")
    page.sees("Only for administrators")
    page.open(shared.url + "/searches/new")
    page.sees("Your token can only read")


def test_addresses_lead_to_their_pages(shared, page):
    page.sign_in(shared)
    for path, words in [("/workers", "Add a worker"), ("/library/spaces", "Add a space"), ("/library/checkpoints", "Add a checkpoint"),
                        ("/library/datasets", "Add a data set"), ("/admin", "Audit log"), ("/nowhere", "There is no page here")]:
        page.open(shared.url + path)
        page.sees(words)
    page.click("Go to the searches")
    page.wait("the searches", lambda: page.driver.current_url.endswith("/searches"))
    page.driver.back()
    page.sees("There is no page here")


def test_colours_follow_the_system_and_the_switch(shared, page):
    page.sign_in(shared)
    ground = lambda: page.js("return getComputedStyle(document.body).backgroundColor")
    light = ground()
    page.look(1440, 900, dark=True)
    page.wait("dark colours", lambda: ground() != light)
    page.click("Colours: system. Change to light")
    page.wait("light colours", lambda: ground() == light)
    page.driver.refresh()
    page.one("header.top")
    page.wait("light colours after a reload", lambda: ground() == light)


def test_keyboard_reaches_the_content(shared, page):
    page.sign_in(shared)
    page.driver.refresh()
    page.one("header.top")
    page.js("document.activeElement.blur()")
    page.driver.switch_to.active_element.send_keys(Keys.TAB)
    page.wait("focus on the way past the navigation", lambda: page.js("return document.activeElement.className") == "skip")
    page.driver.switch_to.active_element.send_keys(Keys.ENTER)
    page.wait("focus in main", lambda: page.js("return document.activeElement.id") == "main")


def test_narrow_screens_do_not_scroll_sideways(shared, page):
    page.sign_in(shared)
    page.look(360, 740)
    for path in ["/searches", "/workers", "/library/datasets", "/admin"]:
        page.open(shared.url + path)
        page.loaded()
        assert page.js("return document.documentElement.scrollWidth") <= 360, path


def test_the_coordinator_goes_and_comes_back(coordinator, page):
    page.sign_in(coordinator)
    page.click("Workers")
    page.sees("No worker has joined")
    page.sees("Live")
    coordinator.process.kill()
    page.sees("The coordinator has not answered for")
    page.sees("Reconnecting")
    coordinator.start()
    page.sees("Live")
    page.wait("the banner to go", lambda: "has not answered" not in page.text())
    # What happened meanwhile is shown without a reload.
    coordinator.api("POST", "/workers", {"protocol": 1, "name": "late-comer"}, token=coordinator.token("join"))
    page.sees("late-comer")


def test_the_first_page_is_small_and_asks_nobody_else(coordinator, page):
    search = tiny.search(coordinator, tiny.fill(coordinator))["id"]
    page.sign_in(coordinator)
    page.driver.execute_cdp_cmd("Network.enable", {})
    page.driver.execute_cdp_cmd("Network.clearBrowserCache", {})

    def assets():
        """{name: bytes on the wire} of what was loaded, the interface aside."""
        entries = page.js("return performance.getEntriesByType('resource').map(e => [e.name, e.encodedBodySize])")
        assert all(name.startswith(coordinator.url + "/") for name, _ in entries), entries
        return {name.rsplit("/", 1)[1]: size for name, size in entries if "/assets/" in name}

    page.open(coordinator.url + "/searches")
    page.sees("all of tiny")
    first = assets()
    assert any(n.endswith(".js") for n in first) and any(n.endswith(".css") for n in first)
    assert 10_000 < sum(first.values()) <= 250_000
    page.open(f"{coordinator.url}/searches/{search}")
    page.sees("Best so far")
    scripted.ScriptedWorker(coordinator).work(at_least=1)
    late = lambda: sum(size for name, size in assets().items() if name not in first)
    page.wait("the charts' library, loaded when first needed", lambda: late() > 10_000)
