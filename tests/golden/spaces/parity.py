"""What the networks of this folder share: random supernets and data, PyTorch's own calibration and scoring, one run of
the engine, the comparison. Each <space>.py builds its space's supernet in PyTorch, independently of the space document,
with the reference's parameter names: `Supernet()` with forward(x, code). It may set
    EDIT   {path: value} changes to the document, to make it small enough for a test: ("input",): [3, 64, 64]
    IMAGES (batches, batch size) of the calibration; as many images are scored
    images(n), prepare(net): other inputs than random ones; changes to the random weights
    DOCUMENT instead of NAME, the name of one in proto/spaces
"""
import json
import os
import pathlib
import struct
import subprocess

import torch
import torch.nn.functional as F
from torch import nn

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("SUBRANK_BUILD", ROOT / "build/release"))
NORMS = (nn.BatchNorm2d, nn.BatchNorm1d)


class SliceNorm(nn.BatchNorm2d):
    """BatchNorm on the first channels."""

    def forward(self, x):
        c = x.shape[1]
        if self.training:
            self.num_batches_tracked += 1
            momentum = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        else:
            momentum = 0
        return F.batch_norm(x, self.running_mean[:c], self.running_var[:c], self.weight[:c], self.bias[:c],
                            self.training, momentum, self.eps)


def round8(v, divisor=8):
    new = max(divisor, int(v + divisor / 2) // divisor * divisor)
    return new + divisor if new < 0.9 * v else new


def randomise(net, seed):
    """Weights that keep the signal's size; statistics and affines that are not the initial ones."""
    g = torch.Generator().manual_seed(seed)
    for name, t in net.state_dict(keep_vars=True).items():
        t = t.detach()
        if name.endswith("num_batches_tracked"):
            continue
        if name.endswith("running_var"):
            t.uniform_(0.5, 1.5, generator=g)
        elif name.endswith("_matrix"):
            t.copy_(torch.eye(len(t)) + 0.1 * torch.randn(t.shape, generator=g))
        elif t.dim() >= 2:
            t.normal_(0, (1.5 / t[0].numel()) ** 0.5, generator=g)
        elif name.endswith("weight"):
            t.uniform_(0.5, 1.5, generator=g)
        else:
            t.normal_(0, 0.1, generator=g)


def save_safetensors(path, images, labels):
    head, at = {}, 0
    first = ("images", images, "F32") if images.is_floating_point() else ("tokens", images, "I64")
    for name, t, kind in (first, ("labels", labels, "I64")):
        size = t.numel() * t.element_size()
        head[name] = {"dtype": kind, "shape": list(t.shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + images.numpy().tobytes() + labels.numpy().tobytes())


def document(module):
    doc = getattr(module, "DOCUMENT", None) or json.loads((ROOT / f"proto/spaces/{module.NAME}.json").read_text())
    for path, value in getattr(module, "EDIT", {}).items():
        at = doc
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = value
    return doc


def sample(path, n, seed=7):
    out = subprocess.run([BUILD / "subrankd", "space", path, "--sample", str(n), "--seed", str(seed)],
                         stdout=subprocess.PIPE, check=True, text=True)
    return out.stdout.split("\n")[:-1]


@torch.no_grad()
def torch_logits(net, code, images, batches, size, calibrate):
    """Cumulative averages of `batches` training batches (or the stored statistics), then evaluation mode."""
    norms = [m for m in net.modules() if isinstance(m, NORMS) and m.track_running_stats]
    kept = [(m.running_mean.clone(), m.running_var.clone()) for m in norms]
    if calibrate:
        for m in norms:
            m.reset_running_stats()
            m.momentum = None
        net.train()
        for b in range(batches):
            net(images[b * size:(b + 1) * size], code)
    net.eval()
    out = torch.cat([net(images[b * size:(b + 1) * size], code) for b in range(batches)])
    for m, (mean, var) in zip(norms, kept):
        m.running_mean.copy_(mean)
        m.running_var.copy_(var)
    return out


def engine_logits(folder, doc, codes, policy, images, size):
    job = {"kind": "score", "space": {"id": 1, "document": doc}, "checkpoint": {"id": 1, "blob": "1" * 64},
           "dataset": {"id": 1, "document": {"name": "random", "format": "safetensors", "scale": 1, "mean": [0], "std": [1],
                                             "splits": {"train": [{"blob": "2" * 64}], "val": [{"blob": "2" * 64}]}}},
           "policy": policy, "evaluation": {"split": "val", "images": images, "batch_size": size, "first": 0},
           "candidates": codes}
    out = subprocess.run([BUILD / "subrank-worker", "score", "--job", "-", "--threads", "1", "--logits", str(images),
                          f"--file={'1' * 64}={folder}/net.pth", f"--file={'2' * 64}={folder}/data.safetensors"],
                         input=json.dumps(job), text=True, stdout=subprocess.PIPE)
    lines = [json.loads(line) for line in out.stdout.splitlines()]
    assert out.returncode == 0, lines[-3:]
    return {x["score"]["code"]: torch.tensor(x["score"]["logits"]) for x in lines if "score" in x}


def compare(module, folder, ncodes=10, seed=1):
    """The largest differences in units of the logits' RMS: {"calibrated": ..., "stored": ...}."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    doc = document(module)
    (folder / "space.json").write_text(json.dumps(doc))
    codes = sample(folder / "space.json", ncodes)
    net = module.Supernet()
    randomise(net, seed)
    getattr(module, "prepare", lambda net: None)(net)
    torch.save(net.state_dict(), folder / "net.pth")
    batches, size = getattr(module, "IMAGES", (2, 16))
    images = module.images(batches * size) if hasattr(module, "images") else torch.randn(batches * size, *doc["input"])
    save_safetensors(folder / "data.safetensors", images, torch.zeros(len(images), dtype=torch.int64))
    worst = {}
    for name, policy in (("calibrated", {"reset": True, "average": "cumulative", "variance": "unbiased",
                                         "batches": batches, "batch_size": size}), ("stored", {"average": "none"})):
        got = engine_logits(folder, doc, codes, policy, len(images), size)
        assert len(got) == len(set(codes))
        worst[name] = 0
        for code in codes:
            want = torch_logits(net, code, images, batches, size, name == "calibrated")
            have = got[code]
            assert have.shape == want.shape and torch.isfinite(have).all(), code
            worst[name] = max(worst[name], ((have - want).abs().max() / want.pow(2).mean().sqrt()).item())
    return worst
