"""Who may do what: every operation of the contract with every role, tokens that are wrong, absent or revoked, browser
sessions, headers of every answer, the audit log, secrets that must be nowhere, TLS from end to end."""
import re
import shutil
import subprocess

import pytest
import requests
import yaml

from attack import Site
from cluster import ROOT, Cluster, wait_for

CONTRACT = yaml.safe_load((ROOT / "proto" / "openapi.yaml").read_text())
INCLUDED = {"read": {"read", "submit", "admin"}, "submit": {"submit", "admin"}, "admin": {"admin"}, "worker": {"worker"},
            "join": {"join"}, "open": {"read", "submit", "admin", "worker", "join", None}}
ROLES = ["read", "submit", "admin", "worker", "join", None]
OPERATIONS = [(op["operationId"], method.upper(), path, {r for x in op["x-roles"] for r in INCLUDED[x]})
              for path, item in CONTRACT["paths"].items() for method, op in item.items() if "operationId" in op]
MINE = {"X-Subrank": "1"}
# They would end the sessions that the other cases stand on, or never end.
APART = {"leaveWorker", "logout", "streamEvents", "login"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    one = Cluster(tmp_path_factory.mktemp("access"))
    one.start()
    try:
        made = Site(one.server)
        server = made.server
        made.tokens = {"admin": server.token(), "join": server.token("join"), None: None}
        for role in ("read", "submit"):
            made.tokens[role] = server.api("POST", "/tokens", {"role": role, "name": f"a {role}"})["secret"]
        made.tokens["worker"] = server.api("POST", "/workers", {"protocol": 1, "name": "w"}, token=server.token("join"))["key"]
        made.search = server.api("POST", "/searches", made.search_body())["id"]
        yield made
        made.intact()
        assert server.process.stop() == 0, server.process.text()[-3000:]
        log = server.process.text()
        for secret in made.tokens.values():
            assert not secret or secret not in log
    finally:
        one.close()


def concrete(site, path):
    """The path with ids that do not exist, so that a permitted DELETE deletes nothing."""
    values = {"sha256": "0" * 64, "lease": "0" * 32, "code": "012012"}
    return re.sub(r"\{(\w+)\}", lambda m: values.get(m[1], "999999"), path)


def call(site, method, path, token, **more):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    headers.update(more.pop("headers", {}))
    return requests.request(method, site.server.url + path, headers=headers, timeout=30, **more)


@pytest.mark.parametrize("role", ROLES)
def test_every_operation_with_every_role(site, role):
    assert len(OPERATIONS) > 45
    for name, method, path, may in OPERATIONS:
        if name in APART:
            continue
        body = {} if method in ("POST", "PUT", "PATCH") else None
        answer = call(site, method, concrete(site, path), site.tokens[role], json=body)
        want = {None: 401}.get(role, 403)
        if role in may:
            assert answer.status_code not in (401, 403), (name, role, answer.status_code)
        else:
            assert answer.status_code == want, (name, role, answer.status_code, answer.text)
            if method != "HEAD":
                assert answer.json()["type"] == ("unauthorized" if want == 401 else "forbidden")
        assert answer.status_code < 500, (name, role, answer.text)


def test_a_refused_request_is_refused_before_its_body_is_looked_at(site):
    answer = call(site, "POST", "/api/v1/spaces", site.tokens["read"], data=b"{broken")
    assert answer.status_code == 403
    answer = call(site, "POST", "/api/v1/searches", None, data=b"x" * 100)
    assert answer.status_code == 401 and answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "bearer", "Basic YWRtaW46eA==", "Bearer  x", "Bearer " + "x" * 3000,
                                    "Bearer sr_", "", "Token x"])
def test_tokens_that_are_none(site, header):
    answer = requests.get(site.server.url + "/api/v1/searches", headers={"Authorization": header}, timeout=30)
    assert answer.status_code in (401, 429), answer.text


def test_a_token_is_neither_taken_from_the_url_nor_from_a_prefix(site):
    token = site.tokens["admin"]
    for query in ("token", "access_token", "key"):
        answer = requests.get(f"{site.server.url}/api/v1/searches?{query}={token[:-1]}x", timeout=30)
        assert answer.status_code == 401
    for other in (token[:-1], token + "0", token.upper(), token[3:]):
        assert call(site, "GET", "/api/v1/searches", other).status_code in (401, 429)


def test_bad_tokens_are_limited_and_good_ones_are_not_shut_out(tmp_path_factory):
    one = Cluster(tmp_path_factory.mktemp("rate"))
    try:
        server = one.start().server
        seen = [server.request("GET", "/searches", token=f"sr_{i}") for i in range(50)]
        assert [a.status_code for a in seen] == [401] * 30 + [429] * 20
        assert seen[-1].json()["type"] == "rate-limited" and int(seen[-1].headers["Retry-After"]) > 0
        assert server.request("GET", "/searches").status_code == 200
        login = requests.post(server.url + "/api/v1/login", json={"token": "sr_x"}, headers=MINE, timeout=30)
        assert login.status_code == 429  # the login is no way around it
    finally:
        one.close()


def test_the_database_holds_no_secret(site):
    everything = b"".join(p.read_bytes() for p in site.server.data.glob("subrank.db*"))
    for role, secret in site.tokens.items():
        assert not secret or (secret.encode() not in everything and secret[3:].encode() not in everything), role
    for name in ("admin", "join"):
        assert (site.server.data / f"{name}.token").stat().st_mode & 0o777 == 0o600
    assert (site.server.data / "subrank.db").stat().st_mode & 0o077 == 0


def test_revocation_is_at_once_for_requests_sessions_and_open_streams(site):
    server = site.server
    made = server.api("POST", "/tokens", {"role": "read", "name": "short"})
    browser = requests.Session()
    assert browser.post(server.url + "/api/v1/login", json={"token": made["secret"]}, headers=MINE, timeout=30).status_code == 200
    assert browser.get(server.url + "/api/v1/searches", timeout=30).status_code == 200
    stream = requests.get(server.url + "/api/v1/events", headers={"Authorization": f"Bearer {made['secret']}"}, stream=True, timeout=10)
    lines = stream.iter_lines()
    assert next(lines) == b"retry: 2000"
    server.api("DELETE", f"/tokens/{made['id']}")
    assert server.request("GET", "/searches", token=made["secret"]).status_code == 401
    assert browser.get(server.url + "/api/v1/searches", timeout=30).status_code == 401
    for _ in lines:  # it ends; with a stream that goes on, the read would time out
        pass


# ---- sessions of browsers

@pytest.fixture
def browser(site):
    session = requests.Session()
    answer = session.post(site.server.url + "/api/v1/login", json={"token": site.tokens["submit"]}, headers=MINE, timeout=30)
    assert answer.status_code == 200 and answer.json()["role"] == "submit", answer.text
    session.login = answer
    yield session
    session.close()


def test_a_session_cookie_is_closed_to_scripts_and_other_sites(site, browser):
    cookie = browser.login.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/" in cookie
    assert site.tokens["submit"] not in cookie and "Secure" not in cookie
    assert browser.get(site.server.url + "/api/v1/session", timeout=30).json() == {"role": "submit", "name": "a submit"}


def test_changes_by_cookie_need_our_own_page(site, browser):
    url = f"{site.server.url}/api/v1/searches/{site.search}"
    own = {"X-Subrank": "1"}
    assert browser.patch(url, json={"notes": "a"}, headers=own, timeout=30).status_code == 200
    for headers in ({}, {**own, "Origin": "https://evil.example"}, {**own, "Origin": "null"}, {**own, "Sec-Fetch-Site": "cross-site"},
                    {**own, "Sec-Fetch-Site": "same-site"}, {**own, "Origin": site.server.url.replace(str(site.server.port), "1")}):
        answer = browser.patch(url, json={"notes": "forged"}, headers=headers, timeout=30)
        assert answer.status_code == 403 and answer.json()["type"] == "forbidden", (headers, answer.text)
    assert browser.get(url, headers={"Sec-Fetch-Site": "cross-site"}, timeout=30).status_code == 403
    assert browser.patch(url, json={"notes": "b"}, headers={**own, "Origin": site.server.url, "Sec-Fetch-Site": "same-origin"},
                         timeout=30).status_code == 200
    assert browser.get(url, timeout=30).json()["notes"] == "b"


def test_preflights_of_other_origins_are_never_granted(site):
    answer = requests.options(f"{site.server.url}/api/v1/searches", timeout=30, headers={
        "Origin": "https://evil.example", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-subrank"})
    assert answer.status_code == 405 and not [h for h in answer.headers if h.lower().startswith("access-control")]


def test_logout_ends_the_session_for_a_copied_cookie_too(site, browser):
    copied = dict(browser.cookies)
    assert browser.post(site.server.url + "/api/v1/logout", timeout=30).status_code == 403
    assert browser.post(site.server.url + "/api/v1/logout", headers=MINE, timeout=30).status_code == 204
    assert requests.get(site.server.url + "/api/v1/session", cookies=copied, timeout=30).status_code == 401


def test_who_cannot_log_in(site):
    url = site.server.url + "/api/v1/login"
    for role in ("worker", "join"):
        answer = requests.post(url, json={"token": site.tokens[role]}, headers=MINE, timeout=30)
        assert answer.status_code == 403 and "Set-Cookie" not in answer.headers
    assert requests.post(url, json={"token": site.tokens["read"]}, timeout=30).status_code == 403  # a form of another site
    bad = requests.post(url, json={"token": "sr_" + "0" * 64}, headers=MINE, timeout=30)
    assert bad.status_code in (401, 429) and bad.json()["where"] == "/token"
    name = f"subrank_{site.server.port}"
    for value in ("", "x", "0" * 64, "../../etc"):
        answer = requests.get(site.server.url + "/api/v1/session", cookies={name: value}, timeout=30)
        assert answer.status_code == 401


def test_a_session_outlives_a_restart(tmp_path_factory):
    one = Cluster(tmp_path_factory.mktemp("again"))
    try:
        server = one.start().server
        browser = requests.Session()
        assert browser.post(server.url + "/api/v1/login", json={"token": server.token()}, headers=MINE, timeout=30).ok
        server.process.kill()
        server.start()
        assert browser.get(server.url + "/api/v1/session", timeout=30).json()["role"] == "admin"
    finally:
        one.close()


# ---- what every answer carries, and what is written down

def test_every_answer_carries_the_security_headers(site):
    answers = [call(site, method, concrete(site, path), site.tokens[role], json={} if method in ("POST", "PUT", "PATCH") else None)
               for role in ("admin", "worker", None) for name, method, path, may in OPERATIONS if name not in APART]
    answers += [call(site, "GET", p, None) for p in ("/", "/searches/1", "/nothing.js", "/api/v1/nothing", "/%2e%2e/etc/passwd")]
    answers += [call(site, "BREW", "/api/v1/searches", None), call(site, "POST", "/api/v1/tokens", site.tokens["admin"], data=b"{")]
    assert {a.status_code // 100 for a in answers} >= {2, 4}
    for a in answers:
        policy = a.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert a.headers["X-Content-Type-Options"] == "nosniff" and a.headers["Referrer-Policy"] == "no-referrer"
        assert "Cache-Control" in a.headers and "Server" not in a.headers
        if "/api/" in a.url:
            assert a.headers["Cache-Control"] == "no-store", a.url


def test_every_change_is_in_the_audit(site):
    server = site.server
    before = server.api("GET", "/audit")["items"][0]["id"]
    made = server.api("POST", "/tokens", {"role": "read", "name": "audited"})
    server.api("PATCH", f"/searches/{site.search}", {"notes": "x"}, token=site.tokens["submit"])
    server.api("POST", f"/searches/{site.search}/pause", token=site.tokens["submit"])
    server.api("POST", f"/searches/{site.search}/resume")
    server.api("DELETE", f"/tokens/{made['id']}")
    requests.post(server.url + "/api/v1/login", json={"token": site.tokens["read"]}, headers=MINE, timeout=30)
    refused = server.request("DELETE", "/spaces/1", token=site.tokens["read"])
    assert refused.status_code == 403
    found = [(e["action"], e["who"]) for e in server.api("GET", "/audit")["items"] if e["id"] > before]
    assert found == [("login", "a read"), ("revokeToken", "first start"), ("resumeSearch", "first start"),
                     ("pauseSearch", "a submit"), ("patchSearch", "a submit"), ("createToken", "first start")]
    assert made["secret"] not in str(server.api("GET", "/audit"))
    assert str(made["id"]) in next(e["what"] for e in server.api("GET", "/audit")["items"] if e["action"] == "revokeToken")


# ---- TLS

@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate authority of our own and a certificate for 127.0.0.1."""
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("SKIP openssl not found")
    at = tmp_path_factory.mktemp("tls")

    def run(*argv):
        subprocess.run([openssl, *argv], check=True, capture_output=True, cwd=at, timeout=60)
    run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=ours",
        "-keyout", "ca.key", "-out", "ca.crt")
    run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=rank", "-keyout", "tls.key",
        "-out", "tls.csr")
    (at / "ext").write_text("subjectAltName=IP:127.0.0.1\n")
    run("x509", "-req", "-in", "tls.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "ext",
        "-out", "tls.crt")
    return at


def test_tls_from_end_to_end(tmp_path_factory, authority, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority / "ca.crt"))
    one = Cluster(tmp_path_factory.mktemp("secure"), "--tls-cert", authority / "tls.crt", "--tls-key", authority / "tls.key")
    try:
        server = one.start().server
        assert server.url.startswith("https://")
        made = Site(server)
        login = requests.post(server.url + "/api/v1/login", json={"token": server.token()}, headers=MINE, timeout=30)
        assert "; Secure" in login.headers["Set-Cookie"] and "max-age" in login.headers["Strict-Transport-Security"]
        with pytest.raises(requests.exceptions.ConnectionError):
            requests.get(server.url.replace("https", "http") + "/healthz", timeout=10)
        stranger = one.worker("stranger")  # it does not know our authority: it must not send its token
        stranger.wait_event("server_unreachable" if "server_unreachable" in stranger.text() else "started")
        wait_for("a refusal", lambda: "certificate" in stranger.text().lower(), 60)
        assert server.api("GET", "/workers")["items"] == []
        stranger.stop()
        search = server.api("POST", "/searches", made.search_body())["id"]
        one.worker("friend", SUBRANK_TLS_CA=str(authority / "ca.crt"))
        assert server.wait_search(search, 120)["progress"]["scored"] == 1
        assert one.workers["friend"].stop() == 0
        everything = server.process.text() + "".join(w.text() for w in one.workers.values())
        secrets = [server.token(), server.token("join"), *re.findall(r"subrank_\d+=(\w+)", login.headers["Set-Cookie"])]
        keys = [p for p in one.dir.glob("state-*/*") if p.is_file() and p.stat().st_size < 4096]
        secrets += [m for p in keys for m in re.findall(r"sr_[0-9a-f]{64}", p.read_text(errors="replace"))]
        assert len(secrets) >= 4
        for secret in secrets:
            assert secret not in everything
        assert server.process.stop() == 0
    finally:
        one.close()
