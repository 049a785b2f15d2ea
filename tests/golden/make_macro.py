#!/usr/bin/python3
"""Scores NAS-Bench-Macro codes with PyTorch, independently of our engine: the reference for parity tests.

usage: make_macro.py DIR OUT.json [--codes N] [--images N] [--seed S]
DIR holds macro.pth, calib.bin and val.bin (CIFAR binary format). Rows cover calibration policies beyond the plain
ones: biased variance, an average without a reset, a later first image, batch statistics, stored statistics.
"""
import argparse
import json
import pathlib
import random

import numpy
import torch
from torch import nn

WIDTHS = [64, 64, 128, 128, 128, 256, 256, 256]
STRIDES = [2, 1, 2, 1, 1, 2, 1, 1]
MEAN = torch.tensor([0.4914, 0.4822, 0.4465]).view(1, 3, 1, 1)
STD = torch.tensor([0.2470, 0.2435, 0.2616]).view(1, 3, 1, 1)
POLICIES = {
    "cumulative-biased-4x64": dict(reset=True, average="cumulative", variance="biased", batches=4, batch_size=64),
    "cumulative-keep-3x100": dict(reset=False, average="cumulative", variance="unbiased", batches=3, batch_size=100),
    "ema-.3-keep-5x96": dict(reset=False, average="ema", momentum=0.3, variance="unbiased", batches=5, batch_size=96),
    "ema-.5-biased-6x50": dict(reset=True, average="ema", momentum=0.5, variance="biased", batches=6, batch_size=50),
    "last-2x200": dict(reset=True, average="last", variance="unbiased", batches=2, batch_size=200),
    "later-4x128": dict(reset=True, average="cumulative", variance="unbiased", batches=4, batch_size=128, first=777),
    "batch": dict(average="batch"),
    "none": dict(average="none"),
}


class Block(nn.Module):
    """One chosen layer; the state dict's names are those of the supernet's layer and choice."""

    def __init__(self, cin, cout, stride, choice):
        super().__init__()
        self.choice, self.residual = choice, cin == cout and stride == 1
        if choice == 0:
            if not self.residual:
                self.downsample = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))
            return
        kernel, mid = (3, cin * 3) if choice == 1 else (5, cin * 6)
        self.conv = nn.Sequential(
            nn.Conv2d(cin, mid, 1, bias=False), nn.BatchNorm2d(mid), nn.ReLU(),
            nn.Conv2d(mid, mid, kernel, stride, kernel // 2, groups=mid, bias=False), nn.BatchNorm2d(mid), nn.ReLU(),
            nn.Conv2d(mid, cout, 1, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x):
        if self.choice == 0:
            return x if self.residual else self.downsample(x)
        return x + self.conv(x) if self.residual else self.conv(x)


class Net(nn.Module):
    def __init__(self, code, state):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 3, 1, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
        cin, layers = 32, []
        for digit, width, stride in zip(code, WIDTHS, STRIDES):
            layers.append(Block(cin, width, stride, int(digit)))
            cin = width
        self.features = nn.ModuleList(layers)
        self.out = nn.Sequential(nn.Conv2d(256, 1280, 1, bias=False), nn.BatchNorm2d(1280), nn.ReLU())
        self.classifier = nn.Linear(1280, 10)
        own = {}
        for name in self.state_dict():
            parts = name.split(".")
            if parts[0] == "features":
                parts.insert(2, code[int(parts[1])])
            own[name] = state[".".join(parts)]
        self.load_state_dict(own)

    def forward(self, x):
        x = self.stem(x)
        for layer in self.features:
            x = layer(x)
        return self.classifier(self.out(x).mean((2, 3)))


def images(path):
    data = numpy.fromfile(path, numpy.uint8).reshape(-1, 3073)
    x = torch.from_numpy(data[:, 1:].reshape(-1, 3, 32, 32).copy()).float()
    return (x / 255 - MEAN) / STD, torch.from_numpy(data[:, 0].astype(numpy.int64))


def calibrate(net, policy, x):
    """Statistics under the policy, gathered by hooks: PyTorch's own running average knows unbiased variance only."""
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    seen = {m: [] for m in norms}

    def hook(module, inputs):
        value = inputs[0]
        biased = policy["variance"] == "biased"
        seen[module].append((value.mean((0, 2, 3)), value.var((0, 2, 3), unbiased=not biased)))

    handles = [m.register_forward_pre_hook(hook) for m in norms]
    kept = {m: (m.running_mean.clone(), m.running_var.clone()) for m in norms}
    net.train()
    first, size = policy.get("first", 0), policy["batch_size"]
    for b in range(policy["batches"]):
        net(x[first + b * size: first + (b + 1) * size])
    net.eval()
    for h in handles:
        h.remove()
    for m in norms:
        mean, var = kept[m]
        if policy["reset"]:
            mean, var = torch.zeros_like(mean), torch.ones_like(var)
        for n, (bm, bv) in enumerate(seen[m], 1):
            w = {"ema": policy.get("momentum", 0.1), "cumulative": 1 / n, "last": 1}[policy["average"]]
            mean, var = (1 - w) * mean + w * bm, (1 - w) * var + w * bv
        m.running_mean.copy_(mean)
        m.running_var.copy_(var)


def score(net, policy, x, y, batch):
    logits = []
    net.train(policy["average"] == "batch")
    for i in range(0, len(x), batch):
        logits.append(net(x[i:i + batch]))
    logits = torch.cat(logits)
    top5 = logits.topk(5).indices.eq(y[:, None]).any(1).sum().item()
    loss = nn.functional.cross_entropy(logits.double(), y, reduction="sum").item()
    return dict(n_correct=logits.argmax(1).eq(y).sum().item(), n_correct_top5=top5, loss_sum=loss)


@torch.no_grad()
def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("dir", type=pathlib.Path)
    args.add_argument("out", type=pathlib.Path)
    args.add_argument("--codes", type=int, default=4)
    args.add_argument("--images", type=int, default=1000)
    args.add_argument("--seed", type=int, default=1)
    opt = args.parse_args()
    state = torch.load(opt.dir / "macro.pth", map_location="cpu")
    calib, _ = images(opt.dir / "calib.bin")
    x, y = images(opt.dir / "val.bin")
    x, y = x[:opt.images], y[:opt.images]
    draw = random.Random(opt.seed)
    rows = []
    for _ in range(opt.codes):
        code = "".join(draw.choice("012") for _ in range(8))
        for name, policy in POLICIES.items():
            net = Net(code, state).eval()
            if policy["average"] not in ("batch", "none"):
                calibrate(net, policy, calib)
            rows.append(dict(code=code, policy=name, n=opt.images, batch_size=250, **score(net, policy, x, y, 250)))
            print(rows[-1], flush=True)
    opt.out.write_text(json.dumps(dict(policies=POLICIES, rows=rows), indent=1) + "\n")


if __name__ == "__main__":
    main()
