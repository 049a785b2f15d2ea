"""NAS-Bench-201's network with every operator on every edge."""
import torch
from torch import nn

NAME = "nats-bench-tss"
OPS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]


class ReLUConvBN(nn.Module):
    def __init__(self, cin, cout, kernel, stride=1):
        super().__init__()
        self.op = nn.Sequential(nn.ReLU(), nn.Conv2d(cin, cout, kernel, stride, kernel // 2, bias=False),
                                nn.BatchNorm2d(cout))

    def forward(self, x):
        return self.op(x)


class Zero(nn.Module):
    def forward(self, x):
        return torch.zeros_like(x)


class Cell(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.edges = nn.ModuleDict({f"{j}<-{i}": nn.ModuleList(
            [Zero(), nn.Identity(), ReLUConvBN(c, c, 1), ReLUConvBN(c, c, 3),
             nn.AvgPool2d(3, 1, 1, count_include_pad=False)]) for j in range(1, 4) for i in range(j)})

    def forward(self, x, genotype):
        nodes = [x]
        for j in range(1, 4):
            nodes.append(sum(self.edges[f"{j}<-{i}"][genotype[j, i]](nodes[i]) for i in range(j)))
        return nodes[3]


class Reduction(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.conv_a, self.conv_b = ReLUConvBN(cin, cout, 3, 2), ReLUConvBN(cout, cout, 3)
        self.downsample = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(cin, cout, 1, bias=False))

    def forward(self, x, genotype):
        return self.downsample(x) + self.conv_b(self.conv_a(x))


class Supernet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16))
        cells = [Cell(16) for _ in range(5)] + [Reduction(16, 32)] + [Cell(32) for _ in range(5)]
        self.cells = nn.ModuleList(cells + [Reduction(32, 64)] + [Cell(64) for _ in range(5)])
        self.lastact = nn.Sequential(nn.BatchNorm2d(64), nn.ReLU())
        self.classifier = nn.Linear(64, 10)

    def forward(self, x, code):
        genotype = {(j + 1, int(e[-1])): OPS.index(e[:-2]) for j, node in enumerate(code.split("+"))
                    for e in node.strip("|").split("|")}
        x = self.stem(x)
        for cell in self.cells:
            x = cell(x, genotype)
        return self.classifier(self.lastact(x).mean((2, 3)))
