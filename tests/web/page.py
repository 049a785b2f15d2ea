"""Headless Chromium, driven as a user does: by what is written on the page."""
import os
import time

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

SLOW = float(os.environ.get("SUBRANK_TEST_SLOW", 1))  # times that the page's own thread is slowed down, to look for races
LATENCY = float(os.environ.get("SUBRANK_TEST_LATENCY", 0))  # milliseconds that every answer comes later
PATIENCE = 60 * SLOW  # seconds; only a page that never shows it takes that long

# Messages go away by themselves, on a slow machine before anybody looked: they are written down. And it is counted what the
# page waits for: answers (but for the event stream) and timers; long ones only take messages away.
TELL = """
window.told = [];
new MutationObserver(() => {
  for (const toast of document.querySelectorAll('.toast'))
    if (!window.told.includes(toast.textContent)) window.told.push(toast.textContent);
}).observe(document, {childList: true, characterData: true, subtree: true});
{
  const ask = window.fetch, set = window.setTimeout, clear = window.clearTimeout, due = new Set();
  let asked = 0;
  window.fetch = async (url, init) => {
    if (String(url).endsWith('/events')) return ask(url, init);
    asked++;
    try {
      const answer = await ask(url, init);
      await answer.clone().arrayBuffer();
      return answer;
    } finally { set(() => asked--); }
  };
  window.setTimeout = (act, ms, ...rest) => {
    const id = set(() => { due.delete(id); act(...rest); }, ms);
    if (!(ms >= 5000)) due.add(id);
    return id;
  };
  window.clearTimeout = id => { due.delete(id); clear(id); };
  window.waits = () => asked + due.size;
}
"""

# Three frames in which it waits for nothing; or false.
AT_REST = """
const done = arguments[0];
let n = 0;
requestAnimationFrame(function look() { window.waits() ? done(false) : ++n === 3 ? done(true) : requestAnimationFrame(look); });
"""

# Where an element is, once it is there for two frames; and where a click ends.
STILL = """
const [e, done] = arguments, box = () => JSON.stringify(e.getBoundingClientRect()), was = box();
requestAnimationFrame(() => requestAnimationFrame(() => done(e.isConnected && box() === was)));
"""
AIM = "const [e] = arguments; window.hit = null; addEventListener('click', at => window.hit = e.contains(at.target), {capture: true, once: true})"
NAMED = """return [...document.querySelectorAll('button, a, summary')].find(e =>
  (e.ariaLabel ?? e.innerText).trim() === arguments[0] && !e.disabled && e.checkVisibility({visibilityProperty: true}))"""

# Timers of so many milliseconds and more run when the test says so, by pass().
HOLD = """
{
  const set = window.plainTimeout = window.setTimeout, clear = window.clearTimeout, held = new Map();
  window.setTimeout = (act, ms, ...rest) => {
    if (!(ms >= %d)) return set(act, ms, ...rest);
    const id = set(() => {}, 1e9);
    held.set(id, () => act(...rest));
    return id;
  };
  window.clearTimeout = id => { held.delete(id); clear(id); };
  window.pass = () => { const due = [...held.values()]; held.clear(); due.forEach(act => act()); return due.length; };
}
"""

# Answers to addresses that hold window.gate wait until window.gate is '' and held ones are let go.
GATE = """
{
  const ask = window.fetch;
  window.gate = '';
  window.held = [];
  window.fetch = async (url, init) => {
    const answer = await ask(url, init);
    if (window.gate && String(url).includes(window.gate)) await new Promise(go => window.held.push(go));
    return answer;
  };
  window.open_gate = () => { window.gate = ''; window.held.splice(0).forEach(go => go()); };
}
"""


class Page:
    def __init__(self, chromium, chromedriver, width=1440, height=900, dark=False, root=True):
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for argument in ["--headless=new", "--disable-dev-shm-usage", "--hide-scrollbars", f"--window-size={width},{height}"] + (["--no-sandbox"] if root else []):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service(chromedriver), options=options)
        self.driver.set_script_timeout(5 * PATIENCE)
        self.scripts = []
        self.look(width, height, dark)

    def look(self, width, height, dark=False):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
        if SLOW > 1:
            self.driver.execute_cdp_cmd("Emulation.setCPUThrottlingRate", {"rate": SLOW})
        if LATENCY:
            self.driver.execute_cdp_cmd("Network.enable", {})
            self.driver.execute_cdp_cmd("Network.emulateNetworkConditions",
                                        {"offline": False, "latency": LATENCY, "downloadThroughput": -1, "uploadThroughput": -1})

    def close(self):
        self.driver.quit()

    def open(self, url):
        self.driver.get(url)

    def before(self, script):
        """Runs in every document opened from now on, before its own scripts, until forget()."""
        self.scripts.append(self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})["identifier"])

    def hold(self, ms):
        self.before(HOLD % ms)

    def forget(self):
        while self.scripts:
            self.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": self.scripts.pop()})

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, what, ask, patience=PATIENCE):
        """Waits until ask() is true and gives its value; an element that was drawn anew meanwhile is asked for again."""
        end = time.monotonic() + patience
        last = None
        while time.monotonic() < end:
            try:
                value = ask()
                if value:
                    return value
            except Exception as error:  # a stale element: the page was drawn again
                last = error
            time.sleep(0.05)
        raise AssertionError(f"not seen in {patience} s: {what} ({last})\n--- page ---\n{self.text()[:3000]}")

    def rest(self, ms):
        """Lets the page's own time pass."""
        self.driver.execute_async_script("(window.plainTimeout ?? setTimeout)(arguments[1], arguments[0])", ms)

    def text(self):
        return self.js("return document.body.innerText")

    def sees(self, text, patience=PATIENCE):
        return self.wait(repr(text), lambda: text in self.text(), patience)

    def at_rest(self):
        """The page waits for nothing: what it shows stays until something happens."""
        self.wait("the page to rest", lambda: self.driver.execute_async_script(AT_REST))

    def loaded(self):
        """The page has its heading and waits for nothing more."""
        self.wait("the page to be loaded", lambda: self.all("h1, h3") and "Loading" not in self.text())
        self.at_rest()

    def told(self, text):
        """The page says it in passing; it may be gone again."""
        return self.wait(f"the message {text!r}", lambda: any(text in t for t in self.js("return window.told")))

    def all(self, css):
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def one(self, css):
        return self.wait(css, lambda: self.all(css))[0]

    def strike(self, element):
        """Clicks with the mouse; true when it met the element: a page that moves meanwhile makes it miss."""
        if not self.driver.execute_async_script(STILL, element):
            return False
        self.js(AIM, element)
        element.click()
        return self.js("return window.hit !== false && window.hit !== null")  # undefined: it led to another document

    def click(self, words):
        """The button, link or summary of this name, as soon as it can be clicked."""
        self.wait(f"button {words!r}", lambda: (e := self.js(NAMED, words)) and self.strike(e))

    def press(self, css):
        """The first element of this kind, as soon as it can be clicked."""
        self.wait(css, lambda: (found := self.all(css)) and self.strike(found[0]))

    def tick(self, label):
        """The check box with this label."""
        self.wait(f"a tick at {label!r}", lambda: self.strike(self.field(label)))

    def type(self, css, *keys):
        self.wait(css, lambda: [e.send_keys(*keys) for e in self.all(css)[:1]])

    def drag(self, find, dx, dy, what, done):
        """Drags from a place inside an element, find() -> (element, x, y from its middle), until it shows: the first drag is
        lost when the page moves under it."""
        def ask():
            element, x, y = find()
            ActionChains(self.driver).move_to_element_with_offset(element, x, y).click_and_hold().move_by_offset(dx, dy).release().perform()
            return self.wait(what, done, PATIENCE / 6)
        return self.wait(what, ask, 3 * PATIENCE)

    def field(self, label):
        """The control with this label."""
        return self.wait(f"field {label!r}", lambda: self.js(
            "const l=[...document.querySelectorAll('label')].find(l=>l.textContent.trim()===arguments[0]);"
            "return l && (l.control || document.getElementById(l.htmlFor))", label))

    def fill(self, label, text):
        def ask():
            control = self.field(label)
            control.clear()
            control.send_keys(text)
            return control.get_attribute("value") == text
        self.wait(f"{text!r} in the field {label!r}", ask)

    def choose(self, label, option):
        self.wait(f"option {option!r}", lambda: self.js(
            "const o=[...arguments[0].options].find(o=>o.text.includes(arguments[1])); if(!o) return false;"
            "arguments[0].value=o.value; arguments[0].dispatchEvent(new Event('change',{bubbles:true})); return true", self.field(label), option))

    def sign_in(self, coordinator, token=None):
        self.open(coordinator.url + "/searches")
        self.type("input[name=token]", token or coordinator.token())
        self.click("Sign in")
        self.one("header.top")

    def refusals(self):
        """What the console complained about that a careful page would not cause: policy violations and exceptions."""
        lines = [line["message"] for line in self.driver.get_log("browser")]
        return [l for l in lines if "Content Security Policy" in l or "Uncaught" in l or "TypeError" in l]
