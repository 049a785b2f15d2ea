"""MixPath's CIFAR-10 space: sums of depthwise branches, one BatchNorm per number of branches."""
from torch import nn

NAME = "mixpath-s1"
IMAGES = (2, 8)
EDIT = {("input",): [3, 16, 16]}
WIDTH = [32, 48, 48, 96, 96, 96, 192, 192, 192, 256, 256, 320, 320]


def act(*layers, c):
    return nn.Sequential(*layers, nn.BatchNorm2d(c), nn.ReLU6())


class Bottleneck(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        mids = (3 * cin, 6 * cin)
        self.pw = nn.ModuleList(act(nn.Conv2d(cin, mid, 1, bias=False), c=mid) for mid in mids)
        self.mix_conv = nn.ModuleList(nn.ModuleList(
            act(nn.Conv2d(mid, mid, k, stride, k // 2, groups=mid, bias=False), c=mid) for k in (3, 5, 7, 9)) for mid in mids)
        self.pw_linear = nn.ModuleList(nn.Conv2d(mid, cout, 1, bias=False) for mid in mids)
        self.mix_bn = nn.ModuleList(nn.ModuleList(nn.BatchNorm2d(cout) for _ in range(4)) for _ in mids)

    def forward(self, x, r, paths):
        x = self.pw[r](x)
        return self.mix_bn[r][len(paths) - 1](self.pw_linear[r](sum(self.mix_conv[r][p](x) for p in paths)))


class Supernet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = act(nn.Conv2d(3, 32, 3, 1, 1, bias=False), c=32)
        self.Inverted_Block = nn.ModuleList(Bottleneck(WIDTH[i], WIDTH[i + 1], 2 if i in (2, 5) else 1) for i in range(12))
        self.last_conv = act(nn.Conv2d(320, 1280, 1, bias=False), c=1280)
        self.classifier = nn.Linear(1280, 10)

    def forward(self, x, code):
        x = self.stem(x)
        for i, part in enumerate(code.split(",")):
            rate, kernels = part.split(":")
            y = self.Inverted_Block[i](x, int(rate == "6"), [(int(k) - 3) // 2 for k in kernels.split("+")])
            x = x + y if x.shape == y.shape else y
        return self.classifier(self.last_conv(x).mean((2, 3)))
