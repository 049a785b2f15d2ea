"""What an untrusted worker or submitter can and cannot cause: the lines of deploy/THREATS.md that no other test holds, and
the check that each line names a test that exists."""
import re

import pytest

from attack import Site, refused
from cluster import ROOT, Cluster, wait_for
from test_server import PlayedWorker

HTML = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    one = Cluster(tmp_path_factory.mktemp("threats"), "--max-failed", "1000", "--max-job", "4")
    one.start()
    try:
        made = Site(one.server)
        made.search = one.server.api("POST", "/searches", made.search_body(strategy={"name": "exhaustive", "limit": 400}))["id"]
        yield made
        made.intact()
        assert one.server.process.stop() == 0, one.server.process.text()[-3000:]
    finally:
        one.close()


@pytest.fixture
def pair(site):
    """A worker with a job, and another one that knows everything about it."""
    victim, other = PlayedWorker(site.server, "victim"), PlayedWorker(site.server, "other")
    lease = victim.lease()[0]
    yield victim, other, lease
    for w in (victim, other):
        w.api("DELETE", "/workers/me")


def test_every_line_of_the_threat_model_names_a_test_that_exists():
    text = (ROOT / "deploy" / "THREATS.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith(("| who", "| ---", "| what"))]
    assert len(rows) >= 25
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.(?:py|c))(?:::(\w+))?`", row)
        assert named, f"no test: {row}"
        for file, name in named:
            source = (ROOT / file).read_text()
            assert not name or re.search(rf"def {name}\(|TEST\({name}\)", source), f"{file} has no {name}"


def test_a_lease_serves_only_the_worker_it_was_given_to(site, pair):
    victim, other, lease = pair
    body = other.result(lease)
    before = site.server.api("GET", f"/searches/{site.search}")["progress"]
    assert other.deliver(lease, body) == "cancelled"
    assert other.deliver(lease, {"kind": "score", "error": {"type": "corrupt"}}) == "cancelled"
    assert site.server.api("GET", f"/searches/{site.search}")["progress"]["scored"] == before["scored"]
    other.api("DELETE", f"/leases/{lease['lease']}")
    assert lease["lease"] in other.beat(lease)["gone"]
    assert victim.beat(lease)["gone"] == []
    assert victim.deliver(lease) == "stored"


def test_results_outside_the_job_are_refused_whole(site, pair):
    victim, other, lease = pair
    good = victim.result(lease)
    before = site.server.ranking(site.search)

    def tampered(**change):
        return {**good, "scores": [{**good["scores"][0], **change}, *good["scores"][1:]]}
    n = good["scores"][0]["n_images"]
    for body in (tampered(code="222222"), tampered(n_images=n + 1), tampered(n_correct=n + 1), tampered(n_correct_top5=0), tampered(loss_sum=-5.0),
                 tampered(stats_digest="x"), {**good, "scores": good["scores"] + good["scores"][:1]}, {**good, "scores": good["scores"][:-1]},
                 {**good, "scores": []}, {"kind": "weights"}, {"kind": "score"}):
        refused(lambda: victim.deliver(lease, body), 422)
        if victim.beat(lease)["gone"]:  # a wrong result ends the lease; the job goes out again
            jobs = wait_for("the job again", lambda: [x for x in victim.lease() if x["job"] == lease["job"]])
            lease = jobs[0]
    assert site.server.ranking(site.search) == before
    assert victim.deliver(lease, good) == "stored"


def test_a_stored_score_is_never_changed(site, pair):
    victim, other, lease = pair
    good = victim.result(lease)
    assert victim.deliver(lease, good) == "stored"
    rows = site.server.ranking(site.search)
    assert victim.deliver(lease, {**good, "scores": [{**s, "n_correct": s["n_images"], "n_correct_top5": s["n_images"]} for s in good["scores"]]}) == "duplicate"
    assert site.server.ranking(site.search) == rows


def test_a_greedy_worker_gets_its_own_jobs_again_and_not_everybodys(site):
    """A hundred jobs wait; one worker that says it holds none gets a few, then the same ones again."""
    greedy = PlayedWorker(site.server, "greedy")
    seen = set()
    for _ in range(30):
        seen |= {x["job"] for x in greedy.lease(held=())}
    assert 1 <= len(seen) <= 8, seen
    greedy.api("DELETE", "/workers/me")


def test_names_are_text_and_nothing_else(site):
    """Markup and line breaks in whatever a stranger may name: answers stay JSON, the log keeps one event a line."""
    evil = f"x\r\nadmin_logged_in level=info who={HTML}\x1b[31m"
    worker = PlayedWorker(site.server, evil)
    token = site.server.api("POST", "/tokens", {"role": "read", "name": evil})
    search = site.server.api("POST", "/searches", site.search_body(name=evil, notes=HTML, tags=[HTML]))
    for path in ("/workers", "/tokens", f"/searches/{search['id']}", "/audit", f"/searches/{search['id']}/export.csv", f"/searches/{search['id']}/export.json"):
        answer = site.server.request("GET", path)
        kind = answer.headers["Content-Type"]
        assert kind.startswith(("application/json", "text/csv")) and answer.headers["X-Content-Type-Options"] == "nosniff"
    for line in site.server.process.text().splitlines():
        assert not line.startswith("admin_logged_in") and "\x1b" not in line, line
    site.server.api("DELETE", f"/searches/{search['id']}")
    site.server.api("DELETE", f"/tokens/{token['id']}")
    worker.api("DELETE", "/workers/me")


def test_the_access_log_holds_no_token_even_when_one_is_put_into_a_url(site):
    secret = site.server.token()
    site.server.request("GET", f"/searches/1/candidates/{secret}")
    site.server.request("GET", f"/searches?after={secret}")
    site.server.request("GET", f"/{secret}")
    assert secret not in site.server.process.text()
