"""ResNeXt-50 with groupable convolutions: the mask is the Kronecker product of a 2x2 matrix for each gate. A quarter of
the widths."""
from functools import reduce

import torch
import torch.nn.functional as F
from torch import nn

NAME = "resnext-dgconv"
WIDTH = (32, 64, 128, 256)
EDIT = {("input",): [3, 96, 96], ("constants", "width"): list(WIDTH), ("network", 6, "linear"): 10}


class DGConv(nn.Module):
    def __init__(self, c, stride):
        super().__init__()
        self.gate = nn.Parameter(torch.randn(c.bit_length() - 1))
        self.conv = nn.Conv2d(c, c, 3, stride, 1, bias=False)

    def forward(self, x):
        mask = reduce(torch.kron, [torch.ones(2, 2) if g > 0 else torch.eye(2) for g in self.gate])
        return F.conv2d(x, self.conv.weight * mask[:, :, None, None], None, self.conv.stride, 1)


class Block(nn.Module):
    def __init__(self, cin, width, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(cin, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = DGConv(width, stride), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 2 * width, 1, bias=False), nn.BatchNorm2d(2 * width)
        self.downsample = nn.Sequential()
        if stride > 1 or cin != 2 * width:
            self.downsample = nn.Sequential(nn.Conv2d(cin, 2 * width, 1, stride, bias=False), nn.BatchNorm2d(2 * width))

    def forward(self, x):
        y = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class Supernet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1, c = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), 64
        for s, (width, blocks) in enumerate(zip(WIDTH, (3, 4, 6, 3))):
            stage = []
            for b in range(blocks):
                stage.append(Block(c, width, 2 if b == 0 and s > 0 else 1))
                c = 2 * width
            self.add_module(f"layer{s + 1}", nn.Sequential(*stage))
        self.fc = nn.Linear(c, 10)

    def forward(self, x, code):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.fc(self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3)))
