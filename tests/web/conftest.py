"""Fixtures of the dashboard's tests: real coordinator, real browser. Chromium is the only thing that may be missing."""
import os
import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from cluster import BUILD, ROOT, dashboard  # noqa: E402
from page import TELL, Page  # noqa: E402


def find_browser():
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("SKIP dashboard tests: chromium or chromedriver not found (apt-get install chromium chromium-driver)")
    return chromium, driver


@pytest.fixture(scope="session", autouse=True)
def built():
    assert (BUILD / "subrankd").exists(), "make all first"
    assert (ROOT / "webui" / "dist" / "index.html").exists(), "make webui first"


@pytest.fixture()
def coordinator(built):
    c = dashboard()
    yield c
    c.close()


@pytest.fixture(scope="module")
def shared(built):
    """One coordinator for the tests of a file that do not disturb each other."""
    c = dashboard()
    yield c
    c.close()


@pytest.fixture(scope="session")
def chrome():
    p = Page(*find_browser(), root=os.geteuid() == 0)
    yield p
    p.close()


@pytest.fixture()
def page(chrome):
    """The browser, signed out and with no memory; at the end the console must be free of violations."""
    chrome.look(1440, 900)
    chrome.before(TELL)
    chrome.open("about:blank")
    chrome.driver.get_log("browser")
    yield chrome
    chrome.forget()
    bad = chrome.refusals()
    if chrome.driver.current_url.startswith("http"):
        chrome.js("localStorage.clear(); sessionStorage.clear()")
        chrome.driver.delete_all_cookies()
    assert not bad, bad
