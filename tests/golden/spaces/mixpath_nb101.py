"""MixPath's sub-space of NAS-Bench-101."""
from torch import nn

NAME = "mixpath-nb101"
EDIT = {("input",): [3, 8, 8]}
IMAGES = (2, 8)
OPS = ["conv1x1", "conv3x3", "maxpool3x3"]


def conv(i, o, k):
    return [nn.Conv2d(i, o, k, 1, k // 2, bias=False), nn.BatchNorm2d(o), nn.ReLU()]


class Cell(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.nodes = nn.ModuleList(nn.ModuleList([
            nn.Sequential(*conv(cin, cout, 1), *conv(cout, cout, 1)), nn.Sequential(*conv(cin, cout, 1), *conv(cout, cout, 3)),
            nn.Sequential(*conv(cin, cout, 1), nn.MaxPool2d(3, 1, 1))]) for _ in range(4))
        self.conv = nn.Conv2d(cout, cout, 1)
        self.sbn = nn.ModuleList(nn.BatchNorm2d(cout) for _ in range(4))

    def forward(self, x, path, op):
        y = sum(self.nodes[n][op[n]](x) for n in path)
        return self.sbn[len(path) - 1](self.conv(y)).relu()


class Supernet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(*conv(3, 128, 3))
        widths = [128] * 4 + [256] * 3 + [512] * 3
        self.cells = nn.ModuleList(Cell(widths[c], widths[c + 1]) for c in range(9))
        self.classifier = nn.Linear(512, 10)

    def forward(self, x, code):
        path, op = code.split(":")
        x = self.stem(x)
        for c, cell in enumerate(self.cells):
            x = cell(x, [int(n) for n in path.split("+")], [OPS.index(o) for o in op.split(",")])
            if c in (2, 5):
                x = nn.functional.max_pool2d(x, 2)
        return self.classifier(x.mean((2, 3)))
