"""BossNAS's MBConv supernet."""
import torch.nn.functional as F
from torch import nn

from mobile import Frame, MBConv

NAME = "bossnas-mbconv"
EDIT = {("input",): [3, 72, 72], ("network", 10, "linear"): 10}
IMAGES = (2, 12)


class Shortcut(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.stride, self.same = stride, stride == 1 and cin == cout
        if not self.same:
            self.conv, self.bn = nn.Conv2d(cin, cout, 1, bias=False), nn.BatchNorm2d(cout)

    def forward(self, x):
        if self.same:
            return x
        if self.stride == 2:
            x = F.avg_pool2d(x, 2, 2, ceil_mode=True, count_include_pad=False)
        return self.bn(self.conv(x))


class Layer(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.ops = nn.ModuleList(MBConv(cin, cout, stride, e, k) for e in (6, 3) for k in (3, 5))
        self.shortcut = Shortcut(cin, cout, stride)

    def forward(self, x, op):
        return self.ops[op](x) + self.shortcut(x)


class Supernet(Frame):
    def __init__(self):
        super().__init__()
        self.blocks, cin = nn.ModuleList(), 16
        for layers, width, stride in zip((2, 4, 4, 4, 4), (24, 40, 80, 112, 192), (2, 2, 2, 1, 2)):
            block = nn.ModuleList()
            for l in range(layers):
                block.append(Layer(cin, width, stride if l == 0 else 1))
                cin = width
            self.blocks.append(block)
        self.last = MBConv(192, 320, 1, 6, 3)

    def body(self, x, code):
        for block, ops in zip(self.blocks, code.split()):
            for layer, op in zip(block, ops):
                x = layer(x, int(op))
        return self.last(x)
