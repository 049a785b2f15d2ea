"""BossNAS's HyTra supernet with the correct attention product, at an eighth of the width."""
import torch
import torch.nn.functional as F
from torch import nn

NAME = "bossnas-hytra"
CHANNELS, LEVEL, HEAD = [256, 128, 64, 32], [0, 0, 1, 1, 2, 3], 16
EDIT = {("input",): [3, 96, 96], ("constants", "channels"): CHANNELS, ("constants", "head"): HEAD, ("network", 4, "linear"): 10}
IMAGES = (2, 8)


def conv(cin, cout, kernel=1, stride=1, groups=1, bias=False, pad=None):
    return nn.Conv2d(cin, cout, kernel, stride, kernel // 2 if pad is None else pad, groups=groups, bias=bias)


class Peg(nn.Module):
    def __init__(self, c, stride):
        super().__init__()
        self.conv = conv(c, c, 3, stride, c, True)

    def forward(self, x):
        return self.conv(x)


class Attention(nn.Module):
    def __init__(self, c, of_keys):
        super().__init__()
        self.to_qkv, self.of_keys = conv(c, 3 * c), of_keys

    def forward(self, x):
        n, c, h, w = x.shape
        q, k, v = (t.view(n, c // HEAD, HEAD, h * w) for t in self.to_qkv(x).chunk(3, 1))
        weight = torch.softmax(torch.einsum("nhdi,nhdj->nhij", q, k) * HEAD ** -0.5, -1)
        y = torch.einsum("nhij,nhdj->nhdi" if self.of_keys else "nhij,nhdi->nhdj", weight, v)
        return y.reshape(n, c, h, w)


def shortcut(cin, cout, stride):
    return nn.Sequential(conv(cin, cout, 3 if stride == 2 else 1, stride), nn.BatchNorm2d(cout), nn.ReLU())


class ResAtt(nn.Module):
    def __init__(self, cin, cout, up, of_keys):
        super().__init__()
        self.cin, mid = cin, cout // 4
        self.proj = nn.Sequential(conv(cin, mid), Peg(mid, 1), nn.BatchNorm2d(mid))
        self.shortcut = nn.Identity() if cin == cout else shortcut(cin, cout, 1)
        if up:
            self.proj_d = nn.Sequential(conv(up, mid), Peg(mid, 2), nn.BatchNorm2d(mid))
            self.shortcut_d = shortcut(up, cout, 2)
        self.net = nn.Sequential(nn.ReLU(), Attention(mid, of_keys), nn.BatchNorm2d(mid), nn.ReLU(), conv(mid, cout),
                                 nn.BatchNorm2d(cout))

    def forward(self, x):
        down = x.shape[1] != self.cin
        side, main = (self.shortcut_d, self.proj_d) if down else (self.shortcut, self.proj)
        return F.relu(self.net(main(x)) + side(x))


class ResConv(nn.Module):
    def __init__(self, cin, cout, up):
        super().__init__()
        self.cin, mid = cin, cout // 4
        self.conv1, self.peg, self.bn1 = conv(cin, mid), Peg(mid, 1), nn.BatchNorm2d(mid)
        self.downsample = nn.Identity() if cin == cout else shortcut(cin, cout, 1)
        if up:
            self.conv1_d, self.peg_d, self.bn1_d = conv(up, mid), Peg(mid, 2), nn.BatchNorm2d(mid)
            self.downsample_d = shortcut(up, cout, 2)
        self.conv2, self.bn2 = conv(mid, mid, 3), nn.BatchNorm2d(mid)
        self.conv3, self.bn3 = conv(mid, cout), nn.BatchNorm2d(cout)

    def forward(self, x):
        if x.shape[1] != self.cin:
            side, y = self.downsample_d(x), self.bn1_d(self.peg_d(self.conv1_d(x)))
        else:
            side, y = self.downsample(x), self.bn1(self.peg(self.conv1(x)))
        return F.relu(self.bn3(self.conv3(F.relu(self.bn2(self.conv2(F.relu(y)))))) + side)


class Layer(nn.Module):
    def __init__(self, first, of_keys):
        super().__init__()
        if first:
            self.downsamples = nn.ModuleDict({f"64_{c // 4}": nn.Sequential(
                conv(64, 64, 2 ** (3 - i), 2 ** (3 - i), 64, pad=0), conv(64, c // 4), nn.BatchNorm2d(c // 4))
                for i, c in enumerate(CHANNELS)})
        self._mix_ops = nn.ModuleList()
        for level, c in enumerate(CHANNELS):
            cin, up = c // 4 if first else c, CHANNELS[level + 1] if level < 3 else None
            if level < 2:
                self._mix_ops.append(ResAtt(cin, c, up, of_keys))
            self._mix_ops.append(ResConv(cin, c, up))

    def forward(self, x, op):
        if hasattr(self, "downsamples"):
            x = self.downsamples[f"64_{CHANNELS[LEVEL[op]] // 4}"](x)
        return self._mix_ops[op](x)


@torch.no_grad()
def prepare(net):
    """Sixteen random blocks make the signal so large that a softmax is a choice and rounding decides it."""
    for name, p in net.named_parameters():
        if name.endswith(("net.5.weight", "bn3.weight")):
            p *= 0.2
        if "to_qkv" in name:
            p *= 0.2


class Supernet(nn.Module):
    def __init__(self, of_keys=True):
        super().__init__()
        self._stem = nn.Sequential(conv(3, 64, 7, 2), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self._blocks = nn.ModuleList(nn.Module() for _ in range(4))
        for b, block in enumerate(self._blocks):
            block._block_layers = nn.ModuleList(Layer(b == 0 and i == 0, of_keys) for i in range(4))
        self.neck = nn.Module()
        self.neck.fix_channels = nn.ModuleDict({str(c): nn.Sequential(
            conv(c, c, 2 ** i, 2 ** i, c, pad=0), conv(c, CHANNELS[0]), nn.BatchNorm2d(CHANNELS[0]))
            for i, c in enumerate(CHANNELS) if i})
        self.fc = nn.Linear(CHANNELS[0], 10)

    def forward(self, x, code):
        x = self._stem(x)
        for block, ops in zip(self._blocks, code.split()):
            for layer, op in zip(block._block_layers, ops):
                x = layer(x, int(op))
        if x.shape[1] != CHANNELS[0]:
            x = self.neck.fix_channels[str(x.shape[1])](x)
        return self.fc(x.mean((2, 3)))
