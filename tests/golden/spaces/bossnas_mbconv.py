"""BossNAS's MBConv supernet."""
import torch.nn.functional as F
from torch import nn

from mobile import MBConv, Stem

NAME = "bossnas-mbconv"
EDIT = {("input",): [3, 72, 72], ("network", 8, "linear"): 10}
IMAGES = (2, 12)


class ConvNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn1 = nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32)

    def forward(self, x):
        return F.silu(self.bn1(self.conv(x)))


class Layer(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self._mix_ops = nn.ModuleList(MBConv(cin, cout, stride, e, k) for e in (6, 3) for k in (3, 5))
        pool = [nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False)] if stride == 2 else []
        project = [nn.Conv2d(cin, cout, 1, bias=False), nn.BatchNorm2d(cout)] if cin != cout else []
        self.downsample = nn.Sequential(*pool, *project)

    def forward(self, x, op):
        return self._mix_ops[op](x) + self.downsample(x)


class Block(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self._block_layers = nn.ModuleList(layers)


class Last(nn.Module):
    """The last layer is fixed; the networks trained alone have it without a shortcut."""

    def __init__(self):
        super().__init__()
        self._mix_ops = nn.ModuleList([MBConv(192, 320, 1, 6, 3)])

    def forward(self, x):
        return self._mix_ops[0](x)


class Supernet(nn.Module):
    def __init__(self):
        super().__init__()
        self._stem = nn.Sequential(ConvNorm(), Stem())
        self._blocks, cin = nn.ModuleList(), 16
        for layers, width, stride in zip((2, 4, 4, 4, 4), (24, 40, 80, 112, 192), (2, 2, 2, 1, 2)):
            block = []
            for l in range(layers):
                block.append(Layer(cin, width, stride if l == 0 else 1))
                cin = width
            self._blocks.append(Block(block))
        self._blocks.append(Block([Last()]))
        self.conv_head, self.bn2 = nn.Conv2d(320, 1280, 1, bias=False), nn.BatchNorm2d(1280)
        self.classifier = nn.Linear(1280, 10)

    def forward(self, x, code):
        x = self._stem(x)
        for block, ops in zip(self._blocks, code.split()):
            for layer, op in zip(block._block_layers, ops):
                x = layer(x, int(op))
        x = F.silu(self.bn2(self.conv_head(self._blocks[5]._block_layers[0](x))))
        return self.classifier(x.mean((2, 3)))
