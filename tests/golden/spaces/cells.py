"""Cells on a DAG as DARTS and GOLD-NAS build them: operators on edges between two inputs and four nodes, BatchNorm
without affine but in the stem. The networks are darts*.py and gold_nas.py."""
import torch
from torch import nn


def norm(c):
    return nn.BatchNorm2d(c, affine=False)


class Op(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.op = nn.Sequential(*layers)

    def forward(self, x):
        return self.op(x)


def separable(c, kernel, stride, dilation=1):
    return [nn.ReLU(), nn.Conv2d(c, c, kernel, stride, dilation * (kernel // 2), dilation, c, bias=False),
            nn.Conv2d(c, c, 1, bias=False), norm(c)]


class FactorizedReduce(nn.Module):
    def __init__(self, cin, cout, norm_name="bn"):
        super().__init__()
        self.conv_1 = nn.Conv2d(cin, cout // 2, 1, 2, bias=False)
        self.conv_2 = nn.Conv2d(cin, cout // 2, 1, 2, bias=False)
        self.add_module(norm_name, norm(cout))
        self.norm_name = norm_name

    def forward(self, x):
        x = x.relu()
        return getattr(self, self.norm_name)(torch.cat([self.conv_1(x), self.conv_2(x[:, :, 1:, 1:])], 1))


class Silent(nn.Module):
    """Holds a place in a list; never called."""


def operator(name, c, stride):
    if name in ("none", "noise"):
        return Silent()
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else FactorizedReduce(c, c)
    if name == "max_pool_3x3":
        return nn.Sequential(nn.MaxPool2d(3, stride, 1), norm(c))
    if name == "avg_pool_3x3":
        return nn.Sequential(nn.AvgPool2d(3, stride, 1, count_include_pad=False), norm(c))
    kernel = int(name[-1])
    if name.startswith("dil_conv"):
        return Op(*separable(c, kernel, stride, 2))
    return Op(*separable(c, kernel, stride), *separable(c, kernel, 1))


class Mixed(nn.Module):
    def __init__(self, ops):
        super().__init__()
        self._ops = nn.ModuleList(ops)


class Cell(nn.Module):
    """make(edge, channels, stride) gives the operators of an edge."""

    def __init__(self, before, last, c, reduction, shrunk, make, reduce=FactorizedReduce):
        super().__init__()
        self.preprocess0 = reduce(before, c) if shrunk else Op(nn.ReLU(), nn.Conv2d(before, c, 1, bias=False), norm(c))
        self.preprocess1 = Op(nn.ReLU(), nn.Conv2d(last, c, 1, bias=False), norm(c))
        inputs = [j for n in range(4) for j in range(n + 2)]
        self._ops = nn.ModuleList(Mixed(make(e, c, 2 if reduction and j < 2 else 1)) for e, j in enumerate(inputs))

    def forward(self, before, last, active):
        """active[n]: (input, operator) pairs of node n, or (input, operator, factor)."""
        nodes, edge = [self.preprocess0(before), self.preprocess1(last)], 0
        for n in range(4):
            nodes.append(sum(self._ops[edge + j]._ops[o](nodes[j]) * (factor[0] if factor else 1)
                             for j, o, *factor in active[n]))
            edge += n + 2
        return torch.cat(nodes[2:], 1)


class CellNetwork(nn.Module):
    def __init__(self, c, cells, make, reduce=FactorizedReduce):
        """make(cell, reduction) gives a cell's make."""
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 3 * c, 3, 1, 1, bias=False), nn.BatchNorm2d(3 * c))
        self.cells, self.kinds, before, last, shrunk = nn.ModuleList(), [], 3 * c, 3 * c, False
        for i in range(cells):
            reduction = i in (cells // 3, 2 * cells // 3)
            c *= 2 if reduction else 1
            self.cells.append(Cell(before, last, c, reduction, shrunk, make(i, reduction), reduce))
            self.kinds.append(int(reduction))
            before, last, shrunk = last, 4 * c, reduction
        self.classifier = nn.Linear(last, 10)

    def run(self, x, active):
        """active(cell, reduction) gives the cell's operators."""
        before = last = self.stem(x)
        for i, cell in enumerate(self.cells):
            before, last = last, cell(before, last, active(i, self.kinds[i]))
        return self.classifier(last.mean((2, 3)))
