"""Texts from end to end: token ids in safetensors, a small EfficientBERT, a search, its scores against PyTorch."""
import importlib
import json
import struct
import sys
import urllib.parse
from pathlib import Path

import pytest

from cluster import wait_for

FOLDER = Path(__file__).resolve().parents[1] / "golden/spaces"
sys.path.insert(0, str(FOLDER))
parity = pytest.importorskip("parity", reason="SKIP: PyTorch not found")
import torch  # noqa: E402


def test_a_search_over_texts(cluster, tmp_path):
    module = importlib.import_module("efficientbert_ffn")
    torch.manual_seed(2)
    torch.set_num_threads(1)
    net = module.Supernet()
    parity.randomise(net, 2)
    torch.save(net.state_dict(), tmp_path / "net.pth")
    doc, texts = parity.document(module), module.images(24)
    labels = torch.arange(24) % 3
    parity.save_safetensors(tmp_path / "texts.safetensors", texts, labels)

    one = cluster(workers=1)
    server = one.server
    space = server.api("POST", "/spaces", {"name": "bert", "document": doc})
    checkpoint = server.api("POST", "/checkpoints", {"name": "bert", "blob": server.upload(tmp_path / "net.pth"),
                                                     "space": space["id"]})
    assert not checkpoint.get("problems")
    dataset = server.api("POST", "/datasets", {
        "name": "texts", "format": "safetensors", "splits": {"val": [{"blob": server.upload(tmp_path / "texts.safetensors")}]}})
    assert dataset["image"] == [3, module.TOKENS, 1] and len(dataset["classes"]) == 3
    assert server.request("GET", f"/datasets/{dataset['id']}/samples?split=val&count=2").status_code == 200
    search = server.api("POST", "/searches", {
        "name": "texts", "checkpoint": checkpoint["id"], "dataset": dataset["id"], "seed": 1,
        "strategy": {"name": "random", "count": 6}, "policy": {"average": "none"},
        "evaluation": {"split": "val", "images": 24, "batch_size": 8}})
    server.wait_search(search["id"], 120)
    rows = server.ranking(search["id"])
    assert len(rows) == 6
    for row in rows:
        want = parity.torch_logits(net, row["code"], texts, 3, 8, False)
        assert abs(row["n_correct"] - int((want.argmax(1) == labels).sum())) <= 1, row
        assert row["loss"] == pytest.approx(torch.nn.functional.cross_entropy(want, labels).item(), rel=1e-3)
    state, code = net.state_dict(), rows[0]["code"]
    tensors = wait_for("weights", lambda: weights(server, search["id"], code), 60)
    assert "encoder.0.all_ffn.0.dense1.weight" in tensors and "encoder.0.attention.query.weight" in tensors
    for name, have in tensors.items():
        whole = state[name]
        assert have.dim() == whole.dim(), (name, have.shape, whole.shape)
        assert torch.equal(have, whole[tuple(slice(n) for n in have.shape)]), name


def weights(server, search, code):
    answer = server.request("GET", f"/searches/{search}/candidates/{urllib.parse.quote(code)}/weights.safetensors")
    if answer.status_code == 202:
        return None
    assert answer.status_code == 200, answer.text
    n, = struct.unpack("<Q", answer.content[:8])
    header, data = json.loads(answer.content[8:8 + n]), answer.content[8 + n:]
    header.pop("__metadata__")
    return {name: torch.frombuffer(bytearray(data[slice(*t["data_offsets"])]), dtype=torch.float32).view(t["shape"])
            for name, t in header.items()}
