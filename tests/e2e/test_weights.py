"""A candidate's own weights as a file: PyTorch loads it by name, without the supernet's checkpoint and without
calibrating anything, and counts exactly as many correct images as the score says."""
import collections
import gzip
import json
import pathlib
import struct
import subprocess
import sys

import numpy
import pytest

from cluster import BUILD, ROOT, ApiError, store_macro, wait_for
from test_server import DEMO, PlayedWorker, start_search, store_demo

torch = pytest.importorskip("torch")
sys.path.insert(0, str(ROOT / "tests" / "golden"))
torch.set_grad_enabled(False)


def fetch(server, search, code, seconds=60):
    """The file's answer; asks again as long as it is being made."""
    def ready():
        answer = server.request("GET", f"/searches/{search}/candidates/{code}/weights.safetensors")
        assert answer.status_code in (200, 202), answer.text
        assert answer.status_code == 200 or int(answer.headers["Retry-After"]) > 0
        return answer if answer.status_code == 200 else None
    return wait_for("the weights", ready, seconds, 0.1)


def read_safetensors(data):
    n, = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + n])
    metadata, tensors = header.pop("__metadata__"), {}
    for name, t in header.items():
        assert t["dtype"] == "F32"
        a, b = t["data_offsets"]
        tensors[name] = torch.from_numpy(numpy.frombuffer(data[8 + n + a:8 + n + b], "<f4").reshape(t["shape"]).copy())
    assert len(data) == 8 + n + max(t["data_offsets"][1] for t in header.values())
    return metadata, tensors


def check_metadata(server, search, row, metadata):
    doc = server.api("GET", f"/searches/{search}")
    one = server.api("GET", f"/searches/{search}/candidates/{row['code']}")
    assert metadata["code"] == row["code"] and metadata["format"] == "pt"
    assert float(metadata["accuracy"]) == row["accuracy"]
    assert (int(metadata["n_correct"]), int(metadata["n_images"])) == (row["n_correct"], row["n_images"])
    assert json.loads(metadata["policy"]) == doc["policy"]
    assert metadata["checkpoint"] == server.api("GET", f"/checkpoints/{doc['checkpoint']}")["blob"]
    assert metadata["stats_digest"] == one["stats_digest"] and metadata["backend"] == one["backend"]


@pytest.fixture
def demo(cluster):
    one = cluster(workers=1)
    one.ids = store_demo(one.server)[1:]
    return one


def demo_correct(tensors, code, images=2000):
    """How many images a network of fresh random weights gets right once the file is loaded into it."""
    import make_demo
    net = make_demo.Supernet().eval()
    missing, unexpected = net.load_state_dict(tensors, strict=False)
    assert not unexpected
    choices = [int(c) for c in code]
    for name in missing:
        part = name.split(".")
        other_choice = part[0] == "features" and int(part[2]) != choices[int(part[1])]
        assert other_choice or part[-1] == "num_batches_tracked", name
    raw = gzip.decompress((DEMO / "val-images.idx.gz").read_bytes())
    pixels = numpy.frombuffer(raw, numpy.uint8, offset=16).reshape(-1, 28, 28)[:images]
    labels = numpy.frombuffer(gzip.decompress((DEMO / "val-labels.idx.gz").read_bytes()), numpy.uint8, offset=8)[:images]
    out = torch.cat([net(make_demo.to_input(pixels[i:i + 250]), choices) for i in range(0, images, 250)])
    return int(out.argmax(1).eq(torch.from_numpy(labels.astype(numpy.int64))).sum())


def test_the_winners_weights_of_the_demo(demo):
    server = demo.server
    search = start_search(server, *demo.ids, strategy={"name": "random", "count": 6},
                          evaluation={"split": "val", "images": 2000})["id"]
    assert server.wait_search(search)["state"] == "done"
    before = server.ranking(search)
    best = before[0]
    answer = fetch(server, search, best["code"])
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    metadata, tensors = read_safetensors(answer.content)
    check_metadata(server, search, best, metadata)
    params = sum(t.numel() for n, t in tensors.items() if "running_" not in n)
    assert params == best["params"]
    assert abs(demo_correct(tensors, best["code"]) - best["n_correct"]) <= 1
    assert fetch(server, search, best["code"]).content == answer.content
    assert server.ranking(search) == before, "making weights must not touch the ranking"
    assert server.api("GET", f"/searches/{search}")["progress"]["scored"] == 6
    server.process.kill()
    server.start()
    assert fetch(server, search, best["code"], 5).content == answer.content, "statistics must outlive a restart"


def test_policies_that_calibrate_nothing_need_no_worker(demo):
    server = demo.server
    search = start_search(server, *demo.ids, strategy={"name": "random", "count": 1}, policy={"average": "none"},
                          evaluation={"split": "val", "images": 500})["id"]
    server.wait_search(search)
    row = server.ranking(search)[0]
    demo.workers["w0"].stop()
    _, tensors = read_safetensors(fetch(server, search, row["code"], 1).content)
    assert abs(demo_correct(tensors, row["code"], 500) - row["n_correct"]) <= 1


@pytest.mark.parametrize("policy", [{"reset": True, "average": "cumulative", "variance": "unbiased", "batches": 4,
                                     "batch_size": 64}])
def test_nas_bench_macro_in_a_stand_alone_network(cluster, shared, policy):
    import make_macro
    one = cluster(workers=1)
    _, checkpoint, dataset = store_macro(one.server)
    codes = ["02112012", "22222222"]
    search = one.server.api("POST", "/searches", {
        "name": "w", "checkpoint": checkpoint, "dataset": dataset, "strategy": {"name": "list", "codes": codes},
        "policy": policy, "evaluation": {"split": "val", "images": 500}})["id"]
    one.server.wait_search(search)
    x, y = make_macro.images(shared / "weights" / "macro_supernet" / "val.bin")
    for row in one.server.ranking(search):
        metadata, tensors = read_safetensors(fetch(one.server, search, row["code"]).content)
        check_metadata(one.server, search, row, metadata)
        state = collections.defaultdict(lambda: torch.tensor(0), tensors)
        net = make_macro.Net(row["code"], state).eval()
        assert all(n.endswith("num_batches_tracked") for n in set(state) - set(tensors)), "a tensor was missing"
        got = make_macro.score(net, {"average": "none"}, x[:500], y[:500], 250)
        assert abs(got["n_correct"] - row["n_correct"]) <= 1, row["code"]
        assert got["loss_sum"] / 500 == pytest.approx(row["loss"], rel=1e-4)


def test_repeat_document_scores_the_same_offline(demo, tmp_path):
    server = demo.server
    search = start_search(server, *demo.ids, strategy={"name": "random", "count": 3})["id"]
    server.wait_search(search)
    row = server.ranking(search)[1]
    one = server.api("GET", f"/searches/{search}/candidates/{row['code']}")
    (tmp_path / "job.json").write_text(json.dumps(one["repeat"]))
    files = []
    for path in pathlib.Path(demo.dir / "cache").rglob("*"):
        if path.is_file() and len(path.name) == 64:
            files += ["--file", f"{path.name}={path}"]
    out = subprocess.run([BUILD / "subrank-worker", "score", "--job", tmp_path / "job.json", *files],
                         capture_output=True, text=True, timeout=120)
    assert out.returncode == 0, out.stderr + out.stdout
    score = json.loads(out.stdout.splitlines()[0])["score"]
    for name in ("code", "n_images", "n_correct", "n_correct_top5", "loss_sum", "stats_digest"):
        assert score[name] == one[name], name
    assert len(one["data_hash"]) == 64 and one["build"] and one["job"] and one["backend"].startswith("cpu")


def test_statistics_that_are_not_the_scores_are_refused(cluster):
    """A worker that lies about statistics gets nowhere; after its attempts the request says so, and the next retries."""
    server = cluster("--max-failed", "1").server
    _, checkpoint, dataset = store_demo(server)
    search = start_search(server, checkpoint, dataset, strategy={"name": "random", "count": 1})["id"]
    worker = PlayedWorker(server)
    worker.finish(search)
    code = server.ranking(search)[0]["code"]
    path = f"/searches/{search}/candidates/{code}/weights.safetensors"
    assert server.request("GET", path).status_code == 202
    assert server.request("GET", path).status_code == 202
    lease, = worker.lease()
    assert lease["kind"] == lease["input"]["kind"] == "weights" and lease["input"]["candidates"] == [code]
    body = worker.result(lease)
    body["kind"] = "weights"
    body["scores"][0].update(stats_digest="0" * 32, statistics={})
    with pytest.raises(ApiError) as e:
        worker.deliver(lease, body)
    assert e.value.status == 422
    answer = server.request("GET", path)
    assert answer.status_code == 409 and "ask again" in answer.json()["detail"]
    assert server.request("GET", path).status_code == 202
    lease, = worker.lease()
    body = {**worker.result(lease), "kind": "weights"}
    body["scores"][0]["statistics"] = {"stem.1": {"mean": [1, 2], "var": [1]}}
    assert worker.deliver(lease, body) == "stored"
    assert worker.deliver(lease, body) == "duplicate"
    answer = server.request("GET", path)
    assert answer.status_code == 422 and "stem.1" in answer.json()["where"]


def test_weights_errors(cluster):
    server = cluster().server
    _, checkpoint, dataset = store_demo(server)
    search = start_search(server, checkpoint, dataset, strategy={"name": "random", "count": 2})["id"]
    code = wait_for("candidates", lambda: server.ranking(search))[0]["code"]
    for path, status in [(f"/searches/{search}/candidates/{code}/weights.safetensors", 409),
                         (f"/searches/{search}/candidates/999/weights.safetensors", 404),
                         (f"/searches/77/candidates/{code}/weights.safetensors", 404)]:
        assert server.request("GET", path).status_code == status
    one = server.api("GET", f"/searches/{search}/candidates/{code}")
    assert one["status"] == "queued" and one["n_correct"] is None and one["repeat"]["candidates"] == [code]
