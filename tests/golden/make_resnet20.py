#!/usr/bin/python3
"""Writes resnet20.json: BatchNorm statistics of the CIFAR-10 ResNet-20 after PyTorch recalibrated them on the first
4,000 lossless training images (32 batches of 125, cumulative average), and its score on the first 1,000 of them.
Run in this directory: ./make_resnet20.py SHARED-DATA-DIRECTORY"""
import json
import re
import sys
from pathlib import Path

import numpy as np
from PIL import Image

MEAN, STD = (.485, .456, .406), (.229, .224, .225)


def cifar(shared):
    """The lossless PNGs' 4,000 training images in CIFAR binary form: a label byte, then planar RGB."""
    folder = Path(shared) / "data/cifar10"
    labels = np.array([int(x) for x in re.findall(r"\d+", (folder / "cifar10_labels.js").read_text())], np.uint8)
    pixels = np.concatenate([np.asarray(Image.open(folder / f"cifar10_batch_{b}.png")) for b in range(4)])
    planar = pixels.transpose(0, 2, 1).reshape(len(pixels), 3072)
    return np.concatenate([labels[:len(pixels), None], planar], 1)


def main(shared):
    import torch
    from torch import nn
    import torch.nn.functional as F

    class Block(nn.Module):
        def __init__(self, c, o, stride):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(c, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
            self.conv2, self.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
            self.stride, self.widen = stride, o - c

        def forward(self, x):
            y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
            if self.widen:
                x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.widen // 2, self.widen // 2))
            return F.relu(x + y)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
            for s, (c, o) in enumerate(((16, 16), (16, 32), (32, 64))):
                setattr(self, f"layer{s + 1}", nn.Sequential(Block(c, o, 1 if s == 0 else 2), Block(o, o, 1), Block(o, o, 1)))
            self.linear = nn.Linear(64, 10)

        def forward(self, x):
            x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
            return self.linear(x.mean((2, 3)))

    net = Net()
    state = torch.load(Path(shared) / "data/weights/resnet_cifar10/resnet20-12fca82f.th", map_location="cpu")["state_dict"]
    net.load_state_dict({k.replace("module.", ""): v for k, v in state.items()})

    def inputs(records):
        x = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32).copy()).float() / 255
        return (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)

    train = cifar(shared)
    test = train[:1000]
    bns = {name: m for name, m in net.named_modules() if isinstance(m, nn.BatchNorm2d)}
    for m in bns.values():
        m.reset_running_stats()
        m.momentum = None
    with torch.no_grad():
        net.train()
        for b in range(32):
            net(inputs(train[125 * b:125 * b + 125]))
        net.eval()
        logits = net(inputs(test))
    label = torch.from_numpy(test[:, 0].astype(np.int64))
    out = {"n": len(test), "n_correct": int((logits.argmax(1) == label).sum()),
           "loss_sum": F.cross_entropy(logits.double(), label, reduction="sum").item(),
           "statistics": {name: {"mean": [round(v, 9) for v in m.running_mean.tolist()],
                                 "var": [float(f"{v:.8g}") for v in m.running_var.tolist()]} for name, m in bns.items()}}
    Path("resnet20.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")
    print(out["n_correct"], out["loss_sum"])


if __name__ == "__main__":
    main(sys.argv[1])
