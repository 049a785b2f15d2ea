"""The EfficientNet kind of MBConv for dna.py and bossnas_mbconv.py; stem and head."""
import torch.nn.functional as F
from torch import nn


class SE(nn.Module):
    def __init__(self, c, mid):
        super().__init__()
        self.conv_reduce, self.conv_expand = nn.Conv2d(c, mid, 1), nn.Conv2d(mid, c, 1)

    def forward(self, x):
        return x * self.conv_expand(F.silu(self.conv_reduce(x.mean((2, 3), keepdim=True)))).sigmoid()


class MBConv(nn.Module):
    def __init__(self, cin, cout, stride, expand, kernel):
        super().__init__()
        mid = cin * expand
        self.conv_pw, self.bn1 = nn.Conv2d(cin, mid, 1, bias=False), nn.BatchNorm2d(mid)
        self.conv_dw = nn.Conv2d(mid, mid, kernel, stride, kernel // 2, groups=mid, bias=False)
        self.bn2 = nn.BatchNorm2d(mid)
        self.se = SE(mid, max(1, int(0.25 * cin)))
        self.conv_pwl, self.bn3 = nn.Conv2d(mid, cout, 1, bias=False), nn.BatchNorm2d(cout)

    def forward(self, x):
        x = F.silu(self.bn1(self.conv_pw(x)))
        return self.bn3(self.conv_pwl(self.se(F.silu(self.bn2(self.conv_dw(x))))))


class Stem(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_dw, self.bn1 = nn.Conv2d(32, 32, 3, 1, 1, groups=32, bias=False), nn.BatchNorm2d(32)
        self.se = SE(32, 8)
        self.conv_pw, self.bn2 = nn.Conv2d(32, 16, 1, bias=False), nn.BatchNorm2d(16)

    def forward(self, x):
        return self.bn2(self.conv_pw(self.se(F.silu(self.bn1(self.conv_dw(x))))))


class Frame(nn.Module):
    """Stem and head; a subclass has the body."""

    def __init__(self):
        super().__init__()
        self.conv_stem, self.bn1 = nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32)
        self.stem = Stem()
        self.conv_head, self.bn2 = nn.Conv2d(320, 1280, 1, bias=False), nn.BatchNorm2d(1280)
        self.classifier = nn.Linear(1280, 10)

    def forward(self, x, code):
        x = self.body(self.stem(F.silu(self.bn1(self.conv_stem(x)))), code)
        return self.classifier(F.silu(self.bn2(self.conv_head(x))).mean((2, 3)))
