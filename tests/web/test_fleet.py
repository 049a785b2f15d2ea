"""Workers and tokens: joining, watching, revoking, quarantine."""
import scripted
import tiny
from cluster import dashboard, wait_for


def test_a_worker_appears_by_itself_and_can_be_revoked(coordinator, page):
    page.sign_in(coordinator)
    page.click("Workers")
    page.sees("No worker has joined")
    made = coordinator.api("POST", "/workers", {"protocol": 1, "name": "node7", "host": "node7.lab", "backend": "cpu-avx2", "build": "abc1234", "threads": 6,
                                         "memory_bytes": 8 << 30}, token=coordinator.token("join"))
    page.sees("node7.lab")
    for words in ["cpu-avx2", "6 threads, 8.0 GiB", "abc1234"]:
        page.sees(words)
    page.wait("its last contact", lambda: "just now" in page.text() or " s ago" in page.text())
    page.click("Revoke node7")
    page.sees("Revoke node7?")
    page.click("Revoke")
    page.told("node7 is revoked")
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


def test_a_worker_is_put_in_quarantine_by_hand_and_let_out(coordinator, page):
    search = tiny.search(coordinator, tiny.fill(coordinator))["id"]
    good, odd = scripted.ScriptedWorker(coordinator, "good"), scripted.ScriptedWorker(coordinator, "odd")
    taken = odd.work(at_least=1)
    page.sign_in(coordinator)
    page.click("Workers")
    page.click("Quarantine odd")
    page.sees("What it scored is taken back")
    page.click("Keep")
    page.wait("the dialog to close", lambda: not page.all("dialog"))
    scored = lambda: coordinator.api("GET", f"/searches/{search}")["progress"]["scored"]
    assert scored() == taken and coordinator.api("GET", f"/workers/{odd.id}")["state"] != "quarantined"
    page.click("Quarantine odd")
    page.click("Quarantine")
    page.told("odd is in quarantine; what it scored is scored again.")
    page.sees("1 quarantined")
    page.sees("distrusted by hand since")
    assert scored() == 0 and odd.lease() == []
    assert good.work() == 81
    page.click("odd")
    page.sees("an administrator distrusts it")
    page.click("Release odd")
    page.sees("It was put in quarantine by hand")
    page.click("Release")
    page.told("odd gets jobs again")
    page.wait("its release", lambda: "Quarantined" not in page.text())
    assert coordinator.api("GET", f"/workers/{odd.id}")["trust"]["quarantined"] is None
    # Only an administrator is offered it.
    page.click("Sign out")
    page.sign_in(coordinator, coordinator.api("POST", "/tokens", {"role": "submit", "name": "submitter"})["secret"])
    for where, words in [("Workers", "odd.lab"), ("odd", "Joined")]:
        page.click(where)
        page.sees(words)
        assert "Quarantine" not in page.text() and "Revoke" not in page.text()


def test_join_instructions_carry_a_fresh_token_that_works(coordinator, page):
    page.sign_in(coordinator)
    page.click("Workers")
    page.sees(f"subrank-worker --server {coordinator.url} --join-token-file join.token")
    page.click("Make a join token")
    page.sees("The token is shown only now")
    secret = page.wait("the token", lambda: page.js("return document.querySelector('.codeblock pre').textContent.match(/echo '(sr_[^']+)'/)[1]"))
    coordinator.api("POST", "/workers", {"protocol": 1, "name": "joined"}, token=secret)
    page.wait("the worker", lambda: [e.text for e in page.all("td.name a")] == ["joined"])


def test_a_token_is_made_shown_once_and_revoked(coordinator, page):
    page.sign_in(coordinator)
    page.click("Admin")
    page.fill("Name", "notebook")
    page.choose("Role", "submit")
    page.click("Make a token")
    page.sees("shown only now")
    secret = page.wait("the token", lambda: page.one(".codeblock pre").text)
    assert coordinator.call("GET", "/session", token=secret)[1] == {"role": "submit", "name": "notebook"}
    page.driver.refresh()
    page.sees("notebook")
    assert secret not in page.text()
    page.click("Revoke notebook")
    page.click("Revoke")
    page.told("is revoked")
    assert coordinator.call("GET", "/session", token=secret)[0] == 401


def test_a_worker_with_wrong_scores_is_seen_in_quarantine_and_released(built, page):
    c = dashboard("--check-results", "adaptive", "--first-job", "2", "--max-job", "4")
    try:
        search = tiny.search(c, tiny.fill(c))
        good, bad = [scripted.ScriptedWorker(c, f"good{i}") for i in range(2)], scripted.ScriptedWorker(c, "crooked", off=.02)
        page.sign_in(c)
        page.click("Workers")
        page.sees("crooked.lab")
        page.sees("not checked")

        def step():
            for worker in (bad, *good):
                worker.work(at_least=1)
            return c.api("GET", f"/workers/{bad.id}")["state"] == "quarantined"
        wait_for("the quarantine", step, 60, 0)
        page.sees("1 quarantined")
        page.sees("wrong scores since")
        assert c.api("GET", f"/searches/{search['id']}")["state"] in ("running", "done")
        page.click("crooked")
        page.sees("It gets no jobs")
        page.click("Release crooked")
        page.sees("it is then trusted like a new worker")
        page.click("Release")
        page.told("its trust begins anew")
        page.wait("its release", lambda: "Quarantined" not in page.text())
        after = c.api("GET", f"/workers/{bad.id}")
        assert after["state"] != "quarantined" and after["trust"]["bad"] == 0
        wait_for("the rest", lambda: not sum(w.work(at_least=1) for w in good), 60, 0)
        agreed = {w["name"]: w["trust"]["good"] for w in c.api("GET", "/workers")["items"]}
        name = max(agreed, key=agreed.get)
        assert agreed[name] > 0
        page.click("Workers")
        page.click(name)
        page.sees(f"{agreed[name]} agreed")
        # The ranking marks what another worker confirmed.
        page.open(f"{c.url}/searches/{search['id']}?columns=opinions")
        ranking = c.ranking(search["id"])
        words = {r["code"]: ("✓", f"✓{r['agreed']} of {r['replicas']} agree") if r["agreed"] > 1 else ("", "one worker") for r in ranking}
        assert len(words) == 81 and len({mark for mark, _ in words.values()}) == 2

        def marks():
            return page.js("""return [...document.querySelectorAll('.vrow:not(.ghost)')].map(r => [r.querySelector('.col-code').innerText.trim(),
                r.querySelector('.col-accuracy .opinion')?.innerText ?? '', r.querySelector('.col-opinions').innerText.replace(/\\n/g, '').trim()])""")
        page.wait("marks as the coordinator knows", lambda: (seen := marks()) and all((mark, told) == words[code] for code, mark, told in seen))
    finally:
        c.close()
