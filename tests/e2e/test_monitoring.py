"""The metrics are well formed and complete; every alert and every panel asks for metrics that exist."""
import json
import re
import shutil
import subprocess

import pytest
import yaml

from cluster import ROOT, wait_for
from test_server import PlayedWorker, start_search, store_demo

DEPLOY = ROOT / "deploy"


@pytest.fixture
def promtool():
    if not shutil.which("promtool"):
        pytest.skip("SKIP promtool not found: install the package prometheus")

    def run(*argv, **kwargs):
        return subprocess.run(["promtool", *map(str, argv)], capture_output=True, text=True, timeout=60, **kwargs)
    return run


@pytest.fixture
def metrics(cluster):
    """The text after one job of everything."""
    server = cluster("--first-job", "3").server
    _, checkpoint, dataset = store_demo(server)
    search = start_search(server, checkpoint, dataset, strategy={"name": "random", "count": 9})["id"]
    worker = PlayedWorker(server)
    lease = wait_for("a job", worker.lease)[0]
    worker.beat(lease)
    assert worker.deliver(lease) == "stored"
    held = wait_for("another", worker.lease)
    server.api("GET", f"/searches/{search}")
    return server.request("GET", "/metrics").text + f"# held {len(held[0]['input']['candidates'])}\n"


def value(text, name):
    return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.M).group(1))


def test_metrics_say_what_happened(metrics, promtool):
    checked = promtool("check", "metrics", input=metrics)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert value(metrics, "subrank_candidates_scored_total") == 3
    assert value(metrics, "subrank_results_stored_total") == 1
    assert value(metrics, "subrank_leases_granted_total") == 2 and value(metrics, "subrank_leases_live") == 1
    assert value(metrics, "subrank_queue_candidates") == 9 - 3 - value(metrics, "# held")
    assert value(metrics, "subrank_workers_live") == 1 and value(metrics, "subrank_beats_total") == 1
    assert value(metrics, "subrank_wal_bytes") > 0 and value(metrics, "subrank_commit_seconds_count") > 3
    for operation in ("createLeases", "beat", "putResult", "createSearch", "putBlob"):
        assert value(metrics, f'subrank_request_seconds_count{{operation="{operation}"}}') >= 1
    assert value(metrics, "subrank_loop_stalls_total") == 0 and value(metrics, "subrank_commit_failures_total") == 0


def test_requests_are_timed_until_their_answer_is_ready(cluster):
    """A stream of events stays open for hours; that is no slow answer."""
    server = cluster().server
    name = 'subrank_request_seconds_count{operation="streamEvents"}'
    with server.request("GET", "/events", stream=True) as stream:
        assert stream.status_code == 200
        assert value(server.request("GET", "/metrics").text, name) == 1


def test_prometheus_accepts_the_files(promtool):
    rules = promtool("check", "rules", DEPLOY / "prometheus" / "alerts.yml")
    assert rules.returncode == 0, rules.stdout + rules.stderr
    config = promtool("check", "config", "--syntax-only", DEPLOY / "prometheus" / "prometheus.yml")
    assert config.returncode == 0, config.stdout + config.stderr


def test_alerts_and_panels_ask_for_metrics_that_exist(metrics):
    there = set(re.findall(r"^(subrank_\w+)", metrics, re.M))
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"][0]["rules"]
    dashboard = json.loads((DEPLOY / "grafana" / "subrank.json").read_text())
    exprs = {r["alert"]: r["expr"] for r in rules}
    exprs |= {p["title"]: " ".join(t["expr"] for t in p["targets"]) for p in dashboard["panels"]}
    for name, expr in exprs.items():
        asked = set(re.findall(r"subrank_\w+", expr))
        if "up{" not in expr:
            assert asked and asked <= there, (name, asked - there)


def test_alerts_fire_when_they_should(promtool, tmp_path):
    def series(name, values, **labels):
        text = ",".join(f'{k}="{v}"' for k, v in {"instance": "c", "job": "subrank", **labels}.items())
        return {"series": f"{name}{{{text}}}", "values": values}
    cases = {
        "SubrankDown": [series("up", "0x60")],
        "SubrankCommitsFail": [series("subrank_commit_failures_total", "0x40 1x20")],
        "SubrankLoopStalls": [series("subrank_loop_stalls_total", "0x40 1x20")],
        "SubrankWalGrows": [series("subrank_wal_bytes", "300000000x60")],
        "SubrankNoWorkers": [series("subrank_queue_candidates", "5x60"), series("subrank_workers_live", "0x60")],
        "SubrankServerErrors": [series("subrank_requests_total", "0+60x60", operation="beat", status="5xx")],
        "SubrankNothingScored": [series("subrank_leases_live", "3x80"), series("subrank_candidates_scored_total", "7x80")],
    }
    tests = []
    for alert, inputs in cases.items():
        at = "75m" if alert == "SubrankNothingScored" else "42m"
        tests.append({"interval": "1m", "input_series": inputs, "promql_expr_test": [
            {"expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})', "eval_time": at,
             "exp_samples": [{"labels": "{}", "value": 1}]}]})
    quiet = [series("up", "1x60"), series("subrank_commit_failures_total", "3x60"), series("subrank_wal_bytes", "8000000x60"),
             series("subrank_queue_candidates", "5x60"), series("subrank_workers_live", "2x60"),
             series("subrank_leases_live", "2x60"), series("subrank_candidates_scored_total", "0+9x60")]
    tests.append({"interval": "1m", "input_series": quiet, "promql_expr_test": [
        {"expr": 'count(ALERTS{alertstate="firing"})', "eval_time": "55m", "exp_samples": []}]})
    file = tmp_path / "test.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(DEPLOY / "prometheus" / "alerts.yml")], "tests": tests}))
    said = promtool("test", "rules", file)
    assert said.returncode == 0, said.stdout + said.stderr
