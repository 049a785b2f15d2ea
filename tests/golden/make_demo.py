"""Makes the demo under deploy/demo: a small supernet over Fashion-MNIST, trained here, and the images that score it.

    /usr/bin/python3 tests/golden/make_demo.py --data ../shared/data/fashion-mnist --steps 700

Uniform single-path training: every batch trains one random architecture of the 3^6 of deploy/demo/space.json. A few
minutes on one core. The outputs are committed; run it again only to change the demo.
"""
import argparse
import gzip
import hashlib
import json
import pathlib
import random
import struct
import time

import numpy as np
import torch
from torch import nn

DEMO = pathlib.Path(__file__).parents[2] / "deploy" / "demo"
WIDTH, STRIDE = [24, 24, 48, 48, 64, 64], [1, 1, 2, 1, 2, 1]
MEAN, STD = 0.286, 0.353
CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


class Identity(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        if stride != 1 or cin != cout:
            self.downsample = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x):
        return self.downsample(x) if hasattr(self, "downsample") else x


class MBConv(nn.Module):
    def __init__(self, cin, cout, stride, expand, kernel):
        super().__init__()
        mid = cin * expand
        self.residual = stride == 1 and cin == cout
        self.conv = nn.Sequential(
            nn.Conv2d(cin, mid, 1, bias=False), nn.BatchNorm2d(mid), nn.ReLU(),
            nn.Conv2d(mid, mid, kernel, stride, kernel // 2, groups=mid, bias=False), nn.BatchNorm2d(mid), nn.ReLU(),
            nn.Conv2d(mid, cout, 1, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x):
        y = self.conv(x)
        return x + y if self.residual else y


class Supernet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.features = nn.ModuleList()
        cin = 16
        for cout, stride in zip(WIDTH, STRIDE):
            self.features.append(nn.ModuleList([Identity(cin, cout, stride), MBConv(cin, cout, stride, 3, 3),
                                                MBConv(cin, cout, stride, 6, 5)]))
            cin = cout
        self.out = nn.Sequential(nn.Conv2d(cin, 256, 1, bias=False), nn.BatchNorm2d(256), nn.ReLU())
        self.classifier = nn.Linear(256, 10)

    def forward(self, x, code):
        x = self.stem(x)
        for layer, choice in zip(self.features, code):
            x = layer[choice](x)
        return self.classifier(self.out(x).mean((2, 3)))


def load(folder, part):
    images = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    return np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28), np.frombuffer(labels, np.uint8, offset=8)


def to_input(pixels):
    x = (torch.from_numpy(pixels.copy()).float() / 255 - MEAN) / STD
    return x[:, None].contiguous(memory_format=torch.channels_last)


def train(images, labels, steps):
    net = Supernet().to(memory_format=torch.channels_last)  # three times faster here
    decay = [p for p in net.parameters() if p.ndim > 1]
    rest = [p for p in net.parameters() if p.ndim <= 1]
    optimizer = torch.optim.SGD([{"params": decay, "weight_decay": 5e-4}, {"params": rest, "weight_decay": 0}], lr=0.1,
                                momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    picker, began = random.Random(1), time.time()
    for step in range(steps):
        pick = np.random.randint(0, len(images), 64)
        x = to_input(images[pick])
        if picker.random() < 0.5:
            x = x.flip(3)
        code = [picker.randrange(3) for _ in WIDTH]
        loss = nn.functional.cross_entropy(net(x, code), torch.from_numpy(labels[pick].astype(np.int64)))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5)
        optimizer.step()
        schedule.step()
        if step % 50 == 49:
            print(f"step {step + 1}/{steps} loss {loss.item():.3f} {time.time() - began:.0f} s", flush=True)
    return net


def score(net, calib, images, labels, code):
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.reset_running_stats()
            m.momentum = None
    with torch.no_grad():
        net.train()
        for i in range(0, 1024, 128):
            net(to_input(calib[i:i + 128]), code)
        net.eval()
        return (net(to_input(images), code).argmax(1).numpy() == labels).mean()


def write_idx(name, array):
    dims = b"".join(struct.pack(">I", d) for d in array.shape)
    data = bytes([0, 0, 8, array.ndim]) + dims + array.tobytes()
    (DEMO / name).write_bytes(gzip.compress(data, 9, mtime=0))
    return hashlib.sha256((DEMO / name).read_bytes()).hexdigest()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=1500, help="the committed one: 700")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    np.random.seed(0)
    DEMO.mkdir(parents=True, exist_ok=True)
    images, labels = load(args.data, "train")
    val_images, val_labels = load(args.data, "t10k")
    splits = {}
    for name, x, y in (("train", images[:2048], labels[:2048]), ("val", val_images[:2000], val_labels[:2000])):
        splits[name] = [{"blob": write_idx(f"{name}-images.idx.gz", x), "labels": write_idx(f"{name}-labels.idx.gz", y)}]
    document = {"name": "fashion-mnist-demo", "format": "idx", "splits": splits, "classes": CLASSES, "scale": 255,
                "mean": [MEAN], "std": [STD]}
    (DEMO / "dataset.json").write_text(json.dumps(document, indent=2) + "\n")
    net = train(images, labels, args.steps)
    torch.save({k: v.contiguous() for k, v in net.state_dict().items()}, DEMO / "supernet.pth")
    for code in ([0] * 6, [1] * 6, [2] * 6, [2, 0, 2, 0, 2, 0]):
        print("".join(map(str, code)), f"{score(net, images, val_images[:2000], val_labels[:2000], code):.4f}")


if __name__ == "__main__":
    main()
