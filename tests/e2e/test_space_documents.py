"""Every document of proto/spaces through the coordinator: what a drawing needs is there and fits together."""
import json
import subprocess

import pytest

from cluster import BUILD, ROOT, Coordinator

FILES = sorted((ROOT / "proto/spaces").glob("*.json"))


@pytest.fixture(scope="module")
def server():
    one = Coordinator().start()
    yield one
    one.close()


def under(path, place):
    return path == place or path.startswith(place + ".")


def sample(file):
    out = subprocess.run([BUILD / "subrankd", "space", file, "--sample", "1", "--seed", "3"], stdout=subprocess.PIPE,
                         check=True, text=True)
    return out.stdout.split("\n")[0]


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_space_is_drawn(server, file):
    doc = json.loads(file.read_text())
    made = server.api("POST", "/spaces", {"name": file.stem, "document": doc})
    space = server.api("GET", f"/spaces/{made['id']}")
    assert space["document"] == doc and space["input"] == doc["input"]
    assert space["architectures"] == made["architectures"] and int(space["architectures"]) >= 1
    stages, names = space["stages"], [s["path"] for s in space["stages"]]
    assert 2 <= len(stages) <= 60, len(stages)
    assert stages[0]["in"] == doc["input"] and stages[-1]["out"][1:] == [1, 1]
    assert all(s["macs"] >= 0 and s["params"] >= 0 and min(s["in"] + s["out"]) > 0 for s in stages)
    assert 0 < sum(s["macs"] for s in stages) <= space["cost"]["macs"]["max"]
    for block in space["blocks"]:
        assert any(s.get("block") == block for s in stages), block
    for d in space["decisions"]:  # at a stage, or of the whole network
        assert len(d["options"]) >= 1
        assert d["path"] == "" or any(under(d["path"], n) or under(n, d["path"]) for n in names), d


    check_plan(server, space, sample(file))


def check_plan(server, space, code):
    options = {d["name"]: d["options"] for d in space["decisions"]}
    plan = server.api("POST", f"/spaces/{space['id']}/plan", {"code": code})
    assert plan["code"] == code
    assert set(plan["active"]) <= set(options)
    assert all(option in options[name] for name, option in plan["active"].items())
    assert space["cost"]["macs"]["min"] <= plan["macs"] <= space["cost"]["macs"]["max"]
    assert plan["ops"][-1]["out"][1:] == [1, 1] and plan["ops"][0]["out"] == space["input"]


def test_an_inactive_decision_changes_nothing(server):
    """The kernel of a block beyond the depth; the same change where the block is there makes another network."""
    doc = json.loads((ROOT / "proto/spaces/ofa-mbv3-w1.0.json").read_text())
    space = server.api("POST", "/spaces", {"name": "inactive", "document": doc})

    def plan(kernel, depth):
        code = ",".join(["3", "3", "3", kernel] + ["3"] * 36 + [depth] + ["2"] * 4 + ["224"])
        return server.api("POST", f"/spaces/{space['id']}/plan", {"code": code})
    assert plan("7", "3")["key"] == plan("3", "3")["key"] and "ks[0][3]" not in plan("7", "3")["active"]
    assert plan("7", "4")["key"] != plan("3", "4")["key"] and plan("7", "4")["active"]["ks[0][3]"] == "7"
