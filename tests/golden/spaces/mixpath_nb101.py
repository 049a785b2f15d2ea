"""MixPath's sub-space of NAS-Bench-101."""
from torch import nn

NAME = "mixpath-nb101"
EDIT = {("input",): [3, 8, 8]}
IMAGES = (2, 8)
OPS = ["conv1x1", "conv3x3", "maxpool3x3"]


def conv(i, o, k):
    return [nn.Conv2d(i, o, k, 1, k // 2, bias=False), nn.BatchNorm2d(o), nn.ReLU()]


class Node(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.op = nn.Sequential(*layers)

    def forward(self, x):
        return self.op(x)


class Cell(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.nodes = nn.ModuleList()
        for _ in range(4):
            self.nodes.append(Node(*conv(cin, cout, 1), *conv(cout, cout, 1)))
            self.nodes.append(Node(*conv(cin, cout, 1), *conv(cout, cout, 3)))
            self.nodes.append(Node(*conv(cin, cout, 1), nn.MaxPool2d(3, 1, 1)))
        self.nodes.append(nn.Conv2d(cout, cout, 1))
        self.bn_list = nn.ModuleList(nn.BatchNorm2d(cout) for _ in range(4))

    def forward(self, x, path, op):
        y = sum(self.nodes[3 * n + op[n]](x) for n in path)
        return self.bn_list[len(path) - 1](self.nodes[12](y)).relu()


class Supernet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(*conv(3, 128, 3))
        widths = [128] * 4 + [256] * 3 + [512] * 3
        self.cell_list = nn.ModuleList(Cell(widths[c], widths[c + 1]) for c in range(9))
        self.classifier = nn.Linear(512, 10)

    def forward(self, x, code):
        path, op = code.split(":")
        x = self.stem(x)
        for c, cell in enumerate(self.cell_list):
            x = cell(x, [int(n) for n in path.split("+")], [OPS.index(o) for o in op.split(",")])
            if c in (2, 5):
                x = nn.functional.max_pool2d(x, 2)
        return self.classifier(x.mean((2, 3)))
