"""Once-for-All on ResNet-50-D: depth, middle width and stage width by slicing. An eighth of the stages' widths;
resolutions whose resize is exact, for its coordinates round differently and fifty BatchNorms make much of it."""
import torch.nn.functional as F
from torch import nn

from parity import SliceNorm, round8

NAME = "ofa-resnet50d"
FACTOR, BASE, WIDTH = (0.65, 0.8, 1.0), (2, 2, 4, 2), (32, 64, 128, 256)
EDIT = {("input",): [3, 80, 80], ("decisions", "r"): [40, 80], ("constants", "width"): list(WIDTH),
        ("network", 10, "linear"): 10}
IMAGES = (2, 16)


class Holder(nn.Module):
    """A dynamic layer holds the layer of the largest size under its own kind's name."""

    def __init__(self, name, layer):
        super().__init__()
        self.add_module(name, layer)


class ConvNorm(nn.Module):
    def __init__(self, cin, cout, kernel=1, stride=1):
        super().__init__()
        self.conv = Holder("conv", nn.Conv2d(cin, cout, kernel, stride, kernel // 2, bias=False))
        self.bn = Holder("bn", SliceNorm(cout))

    def forward(self, x, out):
        c = self.conv.conv
        return self.bn.bn(F.conv2d(x, c.weight[:out, :x.shape[1]], None, c.stride, c.padding))


class Bottleneck(nn.Module):
    def __init__(self, cin, cout, stride, project):
        super().__init__()
        mid = round8(round(cout * 0.35))
        self.conv1, self.conv2, self.conv3 = ConvNorm(cin, mid), ConvNorm(mid, mid, 3, stride), ConvNorm(mid, cout)
        self.stride, self.downsample = stride, ConvNorm(cin, cout) if project else None

    def forward(self, x, out, expand):
        mid = round8(round(out * expand))
        y = self.conv3(F.relu(self.conv2(F.relu(self.conv1(x, mid)), mid)), out)
        if self.downsample is not None:
            x = self.downsample(F.avg_pool2d(x, self.stride, self.stride, 0, ceil_mode=True), out)
        return F.relu(x + y)


class Supernet(nn.Module):
    def __init__(self):
        super().__init__()
        middle = nn.ModuleDict({"conv": ConvNorm(32, 32, 3)})
        self.input_stem = nn.ModuleList([ConvNorm(3, 32, 3, 2), middle, ConvNorm(32, 64, 3)])
        self.blocks, cin = nn.ModuleList(), 64
        for s, (base, cout) in enumerate(zip(BASE, WIDTH)):
            for b in range(base + 2):
                self.blocks.append(Bottleneck(cin, cout, 2 if b == 0 and s > 0 else 1, b == 0))
                cin = cout
        self.classifier = Holder("linear", Holder("linear", nn.Linear(cin, 10)))

    def forward(self, x, code):
        v = code.split(",")
        stem, d, r = int(v[0]), v[1:5], int(v[29])
        e, w = [float(t) for t in v[5:23]], [FACTOR[int(t)] for t in v[23:29]]
        if r != x.shape[2]:
            x = F.interpolate(x, size=(r, r), mode="bilinear", align_corners=False)
        first = round8(round8(64 * w[0]) // 2)
        x = F.relu(self.input_stem[0](x, first))
        if stem == 2:
            x = x + F.relu(self.input_stem[1]["conv"](x, first))
        x = F.max_pool2d(F.relu(self.input_stem[2](x, round8(64 * w[1]))), 3, 2, 1)
        at = 0
        for s, base in enumerate(BASE):
            for b in range(base + int(d[s])):
                x = self.blocks[at + b](x, round8(WIDTH[s] * w[s + 2]), e[at + b])
            at += base + 2
        linear = self.classifier.linear.linear
        x = x.mean((2, 3))
        return F.linear(x, linear.weight[:, :x.shape[1]], linear.bias)
