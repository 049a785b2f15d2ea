"""What constraints leave of a space: counted where it is small, estimated with an interval where it is not."""
import itertools
import math

import pytest

from cluster import ApiError, Coordinator, store_demo


def network(layers):
    """Each layer is left out, a 1 x 1 or a 3 x 3 convolution of 4 channels on 8 x 8 pictures."""
    return {
        "space": 1, "name": f"{layers} layers", "input": [1, 8, 8],
        "decisions": {"layer": {"count": layers, "of": ["identity", "conv1", "conv3"]}}, "code": "digits",
        "network": [
            {"name": "stem", "conv": {"out": 4, "kernel": 3}},
            {"for": "i", "to": layers, "body": [{"name": "f.{i}", "choose": "layer[i]", "of": [
                {"identity": {}}, {"conv": {"out": 4, "kernel": 1}}, {"conv": {"out": 4, "kernel": 3}}]}]},
            "gap", {"name": "head", "linear": {"out": 4}}]}


STEM, ONE, THREE = 4 * 9 * 64 + 16, 4 * 4 * 64, 4 * 4 * 9 * 64  # multiply-accumulates


def macs(ones, threes):
    return STEM + ones * ONE + threes * THREE


@pytest.fixture(scope="module")
def server():
    one = Coordinator().start()
    yield one
    one.close()


def store(server, layers):
    return server.api("POST", "/spaces", {"name": f"{layers} layers", "document": network(layers)})["id"]


def ask(server, space, constraints, **more):
    return server.api("POST", f"/spaces/{space}/feasible", {"constraints": constraints, **more})


def test_a_small_space_is_counted(server):
    space = store(server, 4)
    costs = []
    for code in itertools.product("012", repeat=4):
        plan = server.api("POST", f"/spaces/{space}/plan", {"code": "".join(code)})
        assert plan["macs"] == macs(code.count("1"), code.count("2"))
        costs.append((plan["macs"], plan["params"]))
    m, p = sorted(c[0] for c in costs), sorted(c[1] for c in costs)
    met = {"macs": {"min": m[0], "max": m[-1]}, "params": {"min": p[0], "max": p[-1]}}
    for limits in [(m[20], m[60], p[10], p[70]), (m[40], m[40], p[0], p[-1]), (m[0], m[-1], p[50], p[50])]:
        inside = [[lo <= c <= hi for c, lo, hi in zip(one, limits[::2], limits[1::2])] for one in costs]
        n = sum(all(one) for one in inside)
        constraints = {"macs": {"min": limits[0], "max": limits[1]}, "params": {"min": limits[2], "max": limits[3]}}
        found = ask(server, space, constraints)
        assert found == {
            "architectures": "81", "estimate": str(n), "exact": True, "looked_at": 81, "feasible": n,
            "share": n / 81, "ci": [n / 81, n / 81], "met": met,
            "outside": {"macs": {"min": sum(c[0] < limits[0] for c in costs), "max": sum(c[0] > limits[1] for c in costs)},
                        "params": {"min": sum(c[1] < limits[2] for c in costs), "max": sum(c[1] > limits[3] for c in costs)}}}
        assert n  # each of these limits leaves some


def test_a_large_space_is_sampled_uniformly(server):
    layers = 60
    space, total = store(server, layers), 3**layers
    ways = {}  # multiply-accumulates -> how many architectures
    for threes in range(layers + 1):
        for ones in range(layers + 1 - threes):
            n = math.comb(layers, threes) * math.comb(layers - threes, ones)
            ways[macs(ones, threes)] = ways.get(macs(ones, threes), 0) + n
    assert sum(ways.values()) == total
    for most in (macs(20, 18), macs(20, 20), macs(20, 24)):
        share = sum(n for cost, n in ways.items() if cost <= most) / total
        found = ask(server, space, {"macs": {"max": most}})
        assert found["architectures"] == str(total) and not found["exact"] and 1 <= found["looked_at"] <= 20000
        assert found["feasible"] == found["looked_at"] - found["outside"]["macs"]["max"]
        assert found["share"] == found["feasible"] / found["looked_at"]
        assert abs(found["share"] - share) <= 5 * math.sqrt(share * (1 - share) / found["looked_at"])
        low, high = found["ci"]
        assert 0 <= low < found["share"] < high <= 1
        n = found["looked_at"]
        assert int(found["estimate"]) == (total * found["feasible"] + n // 2) // n


def test_none_of_a_sample_says_which_limit_refuses(server):
    space = store(server, 60)
    found = ask(server, space, {"macs": {"max": macs(1, 0)}, "params": {"min": 1}})
    n = found["looked_at"]
    assert found["feasible"] == 0 and found["estimate"] == "0" and found["ci"][0] == 0 < found["ci"][1] < 1
    assert found["outside"] == {"macs": {"min": 0, "max": n}, "params": {"min": 0, "max": 0}}
    assert macs(1, 0) < found["met"]["macs"]["min"] <= found["met"]["macs"]["max"] <= macs(0, 60)
    assert ask(server, space, {})["share"] == 1


def test_costs_are_those_for_the_pictures_of_the_data_set(cluster):
    server = cluster().server
    space, _, dataset = store_demo(server)
    about = server.api("GET", f"/spaces/{space}")
    assert server.api("GET", f"/datasets/{dataset}")["image"] == about["input"]
    own = ask(server, space, {})
    assert own == ask(server, space, {}, dataset=dataset)
    larger = dict(network(4), input=[about["input"][0], 2 * about["input"][1], 2 * about["input"][2]])
    space = server.api("POST", "/spaces", {"name": "for larger pictures", "document": larger})["id"]
    own, smaller = ask(server, space, {}), ask(server, space, {}, dataset=dataset)
    head = 16
    for end in ("min", "max"):
        assert own["met"]["macs"][end] - head == 4 * (smaller["met"]["macs"][end] - head)
        assert own["met"]["params"][end] == smaller["met"]["params"][end]


def test_what_cannot_be_asked_is_refused(server):
    space = store(server, 2)
    for body, status, where in [({"constraints": {"macs": {"min": 5, "max": 4}}}, 422, "/constraints/macs/max"),
                                ({"constraints": {}, "dataset": 7}, 422, "/dataset"),
                                ({"constraints": {"latency": {}}}, 422, "/constraints/latency"), ({}, 422, "/constraints")]:
        with pytest.raises(ApiError) as refused:
            server.api("POST", f"/spaces/{space}/feasible", body)
        assert refused.value.status == status and refused.value.problem["where"] == where, refused.value.problem
    with pytest.raises(ApiError) as refused:
        ask(server, 99, {})
    assert refused.value.status == 404
