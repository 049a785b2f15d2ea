"""Workers and tokens: joining, watching, revoking."""


def test_a_worker_appears_by_itself_and_can_be_revoked(coordinator, page):
    page.sign_in(coordinator)
    page.click("Workers")
    page.sees("No worker has joined")
    made = coordinator.api("POST", "/workers", {"protocol": 1, "name": "node7", "host": "node7.lab", "backend": "cpu-avx2", "build": "abc1234", "threads": 6,
                                         "memory_bytes": 8 << 30}, token=coordinator.token("join"))
    page.sees("node7.lab")
    for words in ["cpu-avx2", "6 threads, 8.0 GiB", "abc1234", "just now"]:
        page.sees(words)
    page.click("Revoke node7")
    page.sees("Revoke node7?")
    page.click("Revoke")
    page.sees("node7 is revoked")
    page.sees("Revoked")
    status, _ = coordinator.call("GET", "/session", token=made["key"])
    assert status == 401


def test_revoking_can_be_thought_over(coordinator, page):
    coordinator.api("POST", "/workers", {"protocol": 1, "name": "kept"}, token=coordinator.token("join"))
    page.sign_in(coordinator)
    page.click("Workers")
    page.click("Revoke kept")
    page.click("Keep")
    page.wait("the dialog to close", lambda: not page.all("dialog"))
    assert [w["state"] for w in coordinator.call("GET", "/workers")[1]["items"]] != ["revoked"]


def test_join_instructions_carry_a_fresh_token_that_works(coordinator, page):
    page.sign_in(coordinator)
    page.click("Workers")
    page.sees(f"subrank-worker --server {coordinator.url} --join-token-file join.token")
    page.click("Make a join token")
    page.sees("The token is shown only now")
    secret = page.js("return document.querySelector('.codeblock pre').textContent.match(/echo '([^']+)'/)[1]")
    coordinator.api("POST", "/workers", {"protocol": 1, "name": "joined"}, token=secret)
    page.sees("joined")


def test_a_token_is_made_shown_once_and_revoked(coordinator, page):
    page.sign_in(coordinator)
    page.click("Admin")
    page.fill("Name", "notebook")
    page.choose("Role", "submit")
    page.click("Make a token")
    page.sees("shown only now")
    secret = page.one(".codeblock pre").text
    assert coordinator.call("GET", "/session", token=secret)[1] == {"role": "submit", "name": "notebook"}
    page.driver.refresh()
    page.sees("notebook")
    assert secret not in page.text()
    page.click("Revoke notebook")
    page.click("Revoke")
    page.sees("is revoked")
    assert coordinator.call("GET", "/session", token=secret)[0] == 401
