"""GOLD-NAS: any set of operators a node, each times the sigmoid of its gate. Eight channels."""
import torch
from torch import nn

from cells import CellNetwork, FactorizedReduce, Op, norm, separable

NAME = "gold-nas"
CHANNELS, CELLS = 8, 14
EDIT = {("constants", "channels"): CHANNELS}


class Skip(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.bn = norm(c)

    def forward(self, x):
        return self.bn(x)


def reduce(cin, cout):
    return FactorizedReduce(cin, cout, "bn_2")


def operators(e, c, stride):
    skip = Skip(c) if stride == 1 else reduce(c, c)
    return [skip, Op(*separable(c, 3, stride), *separable(c, 3, 1))]


class Supernet(CellNetwork):
    def __init__(self):
        super().__init__(CHANNELS, CELLS, lambda i, kind: operators, reduce)
        self.gates = nn.ModuleList(nn.ModuleList(nn.ParameterList(nn.Parameter(torch.zeros(1)) for o in range(2))
                                                 for e in range(14)) for i in range(CELLS))

    def forward(self, x, code):
        sets = [[[o.split("~") for o in node.split("+")] for node in cell.split()] for cell in code.split("|")]

        def active(i, kind):
            out = []
            for n, node in enumerate(sets[i]):
                first = n * (n + 3) // 2
                pairs = [(int(j), int(name == "sep")) for name, j in node]
                out.append([(j, o, torch.sigmoid(self.gates[i][first + j][o])) for j, o in pairs])
            return out

        return self.run(x, active)
