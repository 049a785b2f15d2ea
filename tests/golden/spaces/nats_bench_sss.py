"""The size space of NATS-Bench as a slimmable supernet: prefixes of the widest layers."""
import torch.nn.functional as F
from torch import nn

from parity import SliceNorm

NAME = "nats-bench-sss"


class Conv(nn.Module):
    """Children 1 and 2 of a sequence: convolution and BatchNorm; relu before them where the operator has one."""

    def __init__(self, kernel=3, stride=1, relu=True):
        super().__init__()
        self.op = nn.ModuleDict({"1": nn.Conv2d(64, 64, kernel, stride, kernel // 2, bias=False), "2": SliceNorm(64)})
        self.relu = relu

    def forward(self, x, out):
        c = self.op["1"]
        x = F.relu(x) if self.relu else x
        return self.op["2"](F.conv2d(x, c.weight[:out, :x.shape[1]], None, c.stride, c.padding))


class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        ops = {f"{j}<-{i}": Conv() for j in range(1, 4) for i in range(j)}
        ops["3<-0"] = Conv(1, relu=False)
        self.edges = nn.ModuleDict(ops)

    def forward(self, x, out):
        e = self.edges
        a = e["1<-0"](x, out)
        b = e["2<-0"](x, out) + e["2<-1"](a, out)
        skip = x if x.shape[1] == out else e["3<-0"](x, out)
        return skip + e["3<-1"](a, out) + e["3<-2"](b, out)


class Reduction(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_a, self.conv_b = Conv(stride=2), Conv()
        self.downsample = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(64, 64, 1, bias=False))

    def forward(self, x, out):
        y = F.conv2d(self.downsample[0](x), self.downsample[1].weight[:out, :x.shape[1]])
        return y + self.conv_b(self.conv_a(x, out), out)


class Supernet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), SliceNorm(64))
        self.cells = nn.ModuleList([Cell(), Reduction(), Cell(), Reduction(), Cell()])
        self.lastact = nn.Sequential(SliceNorm(64), nn.ReLU())
        self.classifier = nn.Linear(64, 10)

    def forward(self, x, code):
        widths = [int(w) for w in code.split(":")]
        x = self.stem[1](F.conv2d(x, self.stem[0].weight[:widths[0]], None, 1, 1))
        for cell, out in zip(self.cells, widths):
            x = cell(x, out)
        x = self.lastact(x).mean((2, 3))
        return F.linear(x, self.classifier.weight[:, :x.shape[1]], self.classifier.bias)
