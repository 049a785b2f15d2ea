"""The main job on a supernet that PyTorch trained: REST in, two workers, scores out, compared with PyTorch's."""
import json

from cluster import ROOT, store_macro


def references(shared):
    """(policies, rows) of both references: the one beside the weights, and ours with the less usual policies."""
    files = [shared / "weights" / "macro_supernet" / "golden.json", ROOT / "tests" / "golden" / "macro_policies.json"]
    for path in files:
        doc = json.loads(path.read_text())
        for name, policy in doc["policies"].items():
            yield name, policy, [r for r in doc["rows"] if r["policy"] == name]


def test_every_golden_row_agrees_with_pytorch(cluster, shared):
    one = cluster(workers=2)
    _, checkpoint, dataset = store_macro(one.server)
    searches = []
    for name, policy, rows in references(shared):
        images = rows[0]["n"]
        searches.append((name, rows, one.server.api("POST", "/searches", {
            "name": name, "checkpoint": checkpoint, "dataset": dataset,
            "strategy": {"name": "list", "codes": [r["code"] for r in rows]},
            "policy": policy, "evaluation": {"split": "val", "images": images, "batch_size": 250}})["id"]))
    wrong = []
    for name, rows, search in searches:
        assert one.server.wait_search(search)["state"] == "done"
        scored = {r["code"]: r for r in one.server.ranking(search)}
        assert set(scored) == {r["code"] for r in rows}
        for want in rows:
            got = scored[want["code"]]
            assert got["n_images"] == want["n"]
            slack = max(1, 0.0005 * want["n"])
            loss = got["loss"] * want["n"]
            if (abs(got["n_correct"] - want["n_correct"]) > slack
                    or abs(got["n_correct_top5"] - want["n_correct_top5"]) > slack
                    or abs(loss - want["loss_sum"]) > 1e-3 * want["loss_sum"]):
                wrong.append((name, want["code"], got["n_correct"], want["n_correct"], got["n_correct_top5"],
                              want["n_correct_top5"], loss, want["loss_sum"]))
    assert not wrong, wrong
