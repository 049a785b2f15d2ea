"""BN-NAS's supernet: 21 MBConv layers that may be left out."""
from torch import nn

NAME = "bn-nas"
EDIT = {("input",): [3, 64, 64], ("network", 5, "linear"): 10}
LAYERS = [(24, 32, 2)] + [(32, 32, 1)] * 3 + [(32, 56, 2)] + [(56, 56, 1)] * 3 + [(56, 112, 2)] + [(112, 112, 1)] * 3 + \
    [(112, 128, 1)] + [(128, 128, 1)] * 3 + [(128, 256, 2)] + [(256, 256, 1)] * 3 + [(256, 432, 1)]


def conv(i, o, k, s=1, g=1):
    return [nn.Conv2d(i, o, k, s, k // 2, groups=g, bias=False), nn.BatchNorm2d(o)]


def mbconv(i, o, s, e, k):
    return nn.Sequential(*conv(i, i * e, 1), nn.ReLU6(), *conv(i * e, i * e, k, s, i * e), nn.ReLU6(), *conv(i * e, o, 1))


class Supernet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(*conv(3, 40, 3, 2), nn.ReLU6())
        self.first = nn.Sequential(*conv(40, 40, 3, 1, 40), nn.ReLU6(), *conv(40, 24, 1))
        self.features = nn.ModuleList(nn.ModuleList(mbconv(i, o, s, e, k) for k in (3, 5, 7) for e in (3, 6))
                                      for i, o, s in LAYERS)
        self.last = nn.Sequential(*conv(432, 1728, 1), nn.ReLU6())
        self.classifier = nn.Linear(1728, 10)

    def forward(self, x, code):
        x = self.first(self.stem(x))
        for ops, (i, o, s), op in zip(self.features, LAYERS, code.split(",")):
            if op != "-1":
                y = ops[int(op)](x)
                x = x + y if i == o and s == 1 else y
        return self.classifier(self.last(x).mean((2, 3)))
