"""Headless Chromium, driven as a user does: by what is written on the page."""
import time

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

PATIENCE = 60  # seconds; only a page that never shows it takes that long


class Page:
    def __init__(self, chromium, chromedriver, width=1440, height=900, dark=False, root=True):
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for argument in ["--headless=new", "--disable-dev-shm-usage", "--hide-scrollbars", f"--window-size={width},{height}"] + (["--no-sandbox"] if root else []):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service(chromedriver), options=options)
        self.look(width, height, dark)

    def look(self, width, height, dark=False):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def close(self):
        self.driver.quit()

    def open(self, url):
        self.driver.get(url)

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
        self.driver.execute_async_script("setTimeout(arguments[1], arguments[0])", ms)

    def text(self):
        return self.js("return document.body.innerText")

    def sees(self, text, patience=PATIENCE):
        return self.wait(repr(text), lambda: text in self.text(), patience)

    def all(self, css):
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def one(self, css):
        return self.wait(css, lambda: self.all(css))[0]

    def button(self, words):
        def find():
            for e in self.all("button, a, summary"):
                name = (e.get_attribute("aria-label") or e.text).strip()
                if name == words and e.is_displayed():
                    return e
            return None
        return self.wait(f"button {words!r}", find)

    def click(self, words):
        self.button(words).click()

    def field(self, label):
        """The control with this label."""
        return self.wait(f"field {label!r}", lambda: self.js(
            "const l=[...document.querySelectorAll('label')].find(l=>l.textContent.trim()===arguments[0]);"
            "return l && (l.control || document.getElementById(l.htmlFor))", label))

    def fill(self, label, text):
        control = self.field(label)
        control.clear()
        control.send_keys(text)

    def choose(self, label, option):
        control = self.field(label)
        self.wait(f"option {option!r}", lambda: self.js(
            "const o=[...arguments[0].options].find(o=>o.text.includes(arguments[1])); if(!o) return false;"
            "arguments[0].value=o.value; arguments[0].dispatchEvent(new Event('change',{bubbles:true})); return true", control, option))

    def sign_in(self, coordinator, token=None):
        self.open(coordinator.url + "/searches")
        self.one("input[name=token]").send_keys(token or coordinator.token())
        self.click("Sign in")
        self.one("header.top")

    def refusals(self):
        """What the console complained about that a careful page would not cause: policy violations and exceptions."""
        lines = [line["message"] for line in self.driver.get_log("browser")]
        return [l for l in lines if "Content Security Policy" in l or "Uncaught" in l or "TypeError" in l]
