"""Spaces, checkpoints and data sets: added by form and file, refused in words at the right place."""
import json
import os
import pathlib

import pytest
from selenium.webdriver.common.keys import Keys

import tiny


@pytest.fixture()
def files(tmp_path):
    (tmp_path / "tiny.json").write_text(json.dumps(tiny.SPACE))
    (tmp_path / "supernet.safetensors").write_bytes(tiny.checkpoint())
    (tmp_path / "quarters.safetensors").write_bytes(tiny.pictures())
    return tmp_path


def give(page, label, path):
    page.field(label).send_keys(str(path))


def test_from_nothing_to_a_data_set_by_form(coordinator, page, files):
    page.sign_in(coordinator)
    page.sees("No search yet")
    page.open(coordinator.url + "/searches/new")
    page.sees("Something to search with is missing")
    page.open(coordinator.url + "/library/spaces")
    page.sees("No search space yet")
    give(page, "Document from a file", files / "tiny.json")
    page.click("Add the space")
    page.sees("layer[0]")
    page.sees("81")
    page.open(coordinator.url + "/library/checkpoints")
    give(page, "File", files / "supernet.safetensors")
    page.click("Upload and add")
    page.sees("features.0.1.0.weight")
    assert coordinator.call("GET", "/checkpoints")[1]["items"][0]["name"] == "supernet"
    page.open(coordinator.url + "/library/datasets")
    page.fill("Name", "quarters")
    page.js("[...document.querySelectorAll('.card')].find(c => c.textContent.includes('safetensors')).click()")
    for picker in page.all(".split input[type=file]"):
        picker.send_keys(str(files / "quarters.safetensors"))
    page.click("Upload and add")
    page.sees("As stored and as sent to workers")
    page.sees("400")
    assert coordinator.call("GET", "/datasets")[1]["items"][0]["image"] == [1, 8, 8]


def test_a_space_with_an_error_is_refused_with_its_place(coordinator, page):
    page.sign_in(coordinator)
    page.open(coordinator.url + "/library/spaces")
    page.fill("Name", "broken")
    document = json.loads(json.dumps(tiny.SPACE))
    document["network"][0]["seq"][0]["conv"]["out"] = "widht"
    page.js("const t=arguments[0]; t.value=arguments[1]; t.dispatchEvent(new Event('input',{bubbles:true}))", page.field("Document"), json.dumps(document))
    page.click("Add the space")
    page.sees('"widht"')
    page.wait("the field marked", lambda: page.one(".field.invalid").get_attribute("data-at") == "/document")
    page.sees("/document/network/0")


def test_a_checkpoint_that_does_not_fit_lists_its_tensors(coordinator, page, files):
    coordinator.api("POST", "/spaces", {"name": "tiny", "document": tiny.SPACE})
    wrong = tiny.tensors()
    del wrong["features.2.1.0.weight"]
    wrong["classifier.weight"] = wrong["classifier.weight"][:2]
    (files / "wrong.safetensors").write_bytes(tiny.safetensors(wrong))
    page.sign_in(coordinator)
    page.open(coordinator.url + "/library/checkpoints")
    give(page, "File", files / "wrong.safetensors")
    page.click("Upload and add")
    page.sees("features.2.1.0.weight")
    page.sees("classifier.weight")
    assert coordinator.call("GET", "/checkpoints")[1]["items"] == []


def sent(page):
    """Bytes of the upload at work that have arrived."""
    return int(page.js("return document.querySelector('.dock .upload.sending [role=progressbar]')?.ariaValueNow ?? 0"))


def throttle(page, bytes_per_second):
    page.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {
        "offline": False, "latency": 5, "downloadThroughput": -1, "uploadThroughput": bytes_per_second})


def test_an_upload_shows_progress_and_goes_on_after_a_reload(coordinator, page, tmp_path):
    coordinator.api("POST", "/spaces", {"name": "tiny", "document": tiny.SPACE})
    big = pathlib.Path(tmp_path) / "big.safetensors"
    big.write_bytes(os.urandom(48 << 20))
    page.sign_in(coordinator)
    page.open(coordinator.url + "/library/checkpoints")
    page.driver.execute_cdp_cmd("Network.enable", {})
    throttle(page, 3 << 20)
    give(page, "File", big)
    page.click("Upload and add")
    page.wait("some of it sent", lambda: sent(page) >= 8 << 20)
    page.driver.refresh()
    page.sees("Interrupted uploads")
    page.sees("choose the same file again")
    give(page, "File", big)
    page.click("Upload and add")
    first = page.wait("the first figure after the reload", lambda: sent(page))
    assert first >= 8 << 20, "it started again from nothing"
    throttle(page, -1)
    # The bytes arrive whole (the coordinator checked their hash); only then are they found to be no checkpoint.
    page.sees("The checkpoint was refused")
    page.sees("Stored")


def test_a_space_is_drawn_and_an_architecture_in_it(coordinator, page):
    coordinator.api("POST", "/spaces", {"name": "tiny", "document": tiny.SPACE})
    page.sign_in(coordinator)
    page.open(coordinator.url + "/library/spaces/1")
    page.sees("The space as a network")
    page.wait("every option of every place", lambda: len(page.all(".network .pick")) == 12 and not page.all(".network .pick.on"))
    code = "input[aria-label='Code of an architecture to draw']"
    page.type(code, "2012")
    page.click("Draw")
    page.wait("what it chooses", lambda: page.js(
        "return [...document.querySelectorAll('.network .pick.on text')].map(t => t.firstChild.textContent)")
        == ["conv3", "identity", "conv1", "conv3"])
    assert "code=2012" in page.driver.current_url
    page.type(code, Keys.BACKSPACE, "9")
    page.click("Draw")
    page.sees("This code was refused")
    page.click("Whole space")
    page.wait("the space again", lambda: not page.all(".network .pick.on") and "refused" not in page.text())
