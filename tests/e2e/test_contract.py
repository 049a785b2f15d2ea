"""Exchanges that no other test makes through the checked client; with them `make e2e` visits every operation."""
import requests

import contract
from cluster import store_demo


def test_small_operations_keep_the_contract(cluster):
    server = cluster().server
    _, _, dataset = store_demo(server)
    assert server.api("GET", "/version")["protocol"] == 1
    assert server.request("GET", "/openapi.json").json()["openapi"].startswith("3.")
    assert server.api("GET", "/session")["role"] == "admin"
    own = {"X-Subrank": "1"}  # as a page of the dashboard says
    assert server.api("POST", "/login", {"token": server.token()}, headers=own)["role"] == "admin"
    server.api("POST", "/logout", headers=own)
    samples = server.api("GET", f"/datasets/{dataset}/samples", params={"split": "val", "count": 2})
    assert samples
    path = "/api/v1/events"
    with requests.get(server.url + path, headers={"Authorization": f"Bearer {server.token()}"}, stream=True,
                      timeout=30) as answer:
        assert next(answer.iter_lines()).startswith(b"retry:")
        contract.check("GET", path, answer.status_code, answer.headers["Content-Type"], b"")
