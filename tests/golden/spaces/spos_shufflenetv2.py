"""Single Path One-Shot's supernet: ShuffleNetV2 blocks with 3x3, 5x5, 7x7 and Xception branches; no affine."""
import torch
from torch import nn

NAME = "spos-shufflenetv2"
EDIT = {("input",): [3, 64, 64], ("network", 4, "linear", "out"): 10}


def norm(c):
    return nn.BatchNorm2d(c, affine=False)


def depthwise(c, kernel, stride):
    return nn.Conv2d(c, c, kernel, stride, kernel // 2, groups=c, bias=False)


def pointwise(i, o):
    return nn.Conv2d(i, o, 1, bias=False)


class Block(nn.Module):
    def __init__(self, cin, cout, op, stride):
        super().__init__()
        self.stride = stride
        inp, mid = (cin // 2, cout // 2) if stride == 1 else (cin, cout // 2)
        out, kernel = cout - inp, (3, 5, 7, 3)[op]
        if op < 3:
            main = [pointwise(inp, mid), norm(mid), nn.ReLU(), depthwise(mid, kernel, stride), norm(mid),
                    pointwise(mid, out), norm(out), nn.ReLU()]
        else:
            main = [depthwise(inp, 3, stride), norm(inp), pointwise(inp, mid), norm(mid), nn.ReLU(),
                    depthwise(mid, 3, 1), norm(mid), pointwise(mid, mid), norm(mid), nn.ReLU(),
                    depthwise(mid, 3, 1), norm(mid), pointwise(mid, out), norm(out), nn.ReLU()]
        self.branch_main = nn.Sequential(*main)
        if stride == 2:
            self.branch_proj = nn.Sequential(depthwise(inp, kernel, 2), norm(inp), pointwise(inp, inp), norm(inp), nn.ReLU())

    def forward(self, x):
        if self.stride == 2:
            return torch.cat((self.branch_proj(x), self.branch_main(x)), 1)
        return torch.cat((x[:, 0::2], self.branch_main(x[:, 1::2])), 1)


class Supernet(nn.Module):
    def __init__(self):
        super().__init__()
        self.first_conv = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), norm(16), nn.ReLU())
        self.features, cin = nn.ModuleList(), 16
        for blocks, width in ((4, 64), (4, 160), (8, 320), (4, 640)):
            for b in range(blocks):
                self.features.append(nn.ModuleList(Block(cin, width, op, 2 if b == 0 else 1) for op in range(4)))
                cin = width
        self.conv_last = nn.Sequential(pointwise(640, 1024), norm(1024), nn.ReLU())
        self.classifier = nn.Sequential(nn.Linear(1024, 10, bias=False))

    def forward(self, x, code):
        x = self.first_conv(x)
        for ops, choice in zip(self.features, code.split(",")):
            x = ops[int(choice)](x)
        return self.classifier(self.conv_last(x).mean((2, 3)))
