"""Pi-NAS's supernet of split-attention bottlenecks."""
import torch
import torch.nn.functional as F
from torch import nn

NAME = "pi-nas-resnest50"
PLANES = [16, 32, 64, 128]  # a quarter of the published widths: the four choices of all layers would be 90 M parameters
EDIT = {("input",): [3, 64, 64], ("constants", "planes"): PLANES, ("network", 6, "linear"): 10}
IMAGES = (2, 16)
CHOICES = [(1, 1, 64), (2, 1, 64), (1, 2, 42), (2, 2, 40)]  # radix, cardinality, base width


class SplitAttention(nn.Module):
    def __init__(self, g, radix, cardinality):
        super().__init__()
        self.g, self.radix, self.cardinality = g, radix, cardinality
        inter = max(g * radix // 4, 32)
        self.conv = nn.Conv2d(g, g * radix, 3, 1, 1, groups=cardinality * radix, bias=False)
        self.bn0 = nn.BatchNorm2d(g * radix)
        self.fc1, self.bn1 = nn.Conv2d(g, inter, 1, groups=cardinality), nn.BatchNorm2d(inter)
        self.fc2 = nn.Conv2d(inter, g * radix, 1, groups=cardinality)

    def forward(self, x):
        x = F.relu(self.bn0(self.conv(x)))
        splits = torch.split(x, self.g, 1)
        a = self.fc2(F.relu(self.bn1(self.fc1(sum(splits).mean((2, 3), keepdim=True)))))
        if self.radix == 1:
            return x * a.sigmoid()
        a = a.view(len(x), self.cardinality, self.radix, -1).transpose(1, 2).softmax(1).reshape(len(x), -1, 1, 1)
        return sum(w * s for w, s in zip(torch.split(a, self.g, 1), splits))


class Bottleneck(nn.Module):
    def __init__(self, cin, planes, stride, radix, cardinality, base):
        super().__init__()
        g = int(planes * base / 64) * cardinality
        self.stride = stride
        self.conv1, self.bn1 = nn.Conv2d(cin, g, 1, bias=False), nn.BatchNorm2d(g)
        self.conv2 = SplitAttention(g, radix, cardinality)
        self.conv3, self.bn3 = nn.Conv2d(g, planes * 4, 1, bias=False), nn.BatchNorm2d(planes * 4)

    def forward(self, x):
        x = self.conv2(F.relu(self.bn1(self.conv1(x))))
        if self.stride == 2:
            x = F.avg_pool2d(x, 3, 2, 1)
        return self.bn3(self.conv3(x))


class Supernet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Sequential(
            nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
            nn.Conv2d(32, 32, 3, 1, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 64, 3, 1, 1, bias=False))
        self.bn1, cin = nn.BatchNorm2d(64), 64
        for s, (planes, blocks) in enumerate(zip(PLANES, (3, 4, 6, 3))):
            layers = nn.ModuleList()
            for b in range(blocks):
                stride = 2 if s and b == 0 else 1
                layer = nn.ModuleList(Bottleneck(cin, planes, stride, *c) for c in CHOICES)
                if b == 0:
                    shortcut = nn.Sequential(nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False),
                                             nn.Conv2d(cin, planes * 4, 1, bias=False), nn.BatchNorm2d(planes * 4))
                    for choice in layer:
                        choice.downsample = shortcut
                layers.append(layer)
                cin = planes * 4
            setattr(self, f"layer{s + 1}", layers)
        self.fc = nn.Linear(PLANES[-1] * 4, 10)

    def forward(self, x, code):
        ops = iter(int(o) for o in code.split())
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for s in range(1, 5):
            for layer in getattr(self, f"layer{s}"):
                choice = layer[next(ops)]
                x = F.relu(choice(x) + (choice.downsample(x) if hasattr(choice, "downsample") else x))
        return self.fc(x.mean((2, 3)))
