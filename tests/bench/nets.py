"""The networks of `make bench-engine`, built in PyTorch with the state-dict names of the space documents beside them.

Every net is one path of a supernet: `code` lists one option per layer. Weights are random; only parity and speed are
read from them. Shapes: 32-pixel nets take (N, 3, 32, 32), 224-pixel nets (N, 3, 224, 224).
"""
import torch
from torch import nn

MBCONV_OPTIONS = [(3, 3), (3, 5), (3, 7), (6, 3), (6, 5), (6, 7)]  # (expansion, kernel): option 0..5


def mbconv_spec(name):
    """Stem and layers of the three MBConv nets: (first layer, [(width, repeats, stride)...], head, classes, pixels)."""
    return {
        "mbconv-224": dict(stem_stride=2, stages=[(24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2),
                                                  (320, 1, 1)], head=1280, classes=1000, pixels=224),
        "mbconv-32": dict(stem_stride=1, stages=[(24, 4, 2), (32, 4, 1), (64, 4, 2), (96, 4, 1), (160, 3, 2)],
                          head=640, classes=100, pixels=32),
        "mbconv-32-small": dict(stem_stride=1, stages=[(16, 3, 2), (32, 6, 2), (48, 6, 1), (96, 4, 2)], head=256,
                                classes=10, pixels=32),
    }[name]


def conv_bn(cin, cout, kernel, stride=1, groups=1, act=True):
    layers = [nn.Conv2d(cin, cout, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(cout)]
    return layers + [nn.ReLU6()] if act else layers


class MBConv(nn.Module):
    def __init__(self, cin, cout, expand, kernel, stride):
        super().__init__()
        mid = cin * expand
        self.residual = cin == cout and stride == 1
        self.conv = nn.Sequential(*conv_bn(cin, mid, 1), *conv_bn(mid, mid, kernel, stride, mid),
                                  *conv_bn(mid, cout, 1, act=False))

    def forward(self, x):
        y = self.conv(x)
        return x + y if self.residual else y


class Path(nn.Module):
    """Modules named as in the supernet; forward runs the chosen one of each layer."""

    def __init__(self, code):
        super().__init__()
        self.code = code

    def body(self, x):
        for layer, option in zip(self.features, self.code):
            x = layer[str(option)](x)
        return x


class MBConvNet(Path):
    """Stem 3->32, a first depthwise-separable layer to 16 channels, then searchable MBConv layers."""

    def __init__(self, spec, code=None, every_option=False):
        layers = [(w, s if j == 0 else 1) for w, n, s in spec["stages"] for j in range(n)]
        super().__init__(code or [(5 * i) % 6 for i in range(len(layers))])
        self.stem = nn.Sequential(*conv_bn(3, 32, 3, spec["stem_stride"]))
        self.first = nn.Sequential(*conv_bn(32, 32, 3, 1, 32), *conv_bn(32, 16, 1, act=False))
        cin, features = 16, []
        for (width, stride), option in zip(layers, self.code):
            options = range(6) if every_option else [option]
            features.append(nn.ModuleDict({str(o): MBConv(cin, width, *MBCONV_OPTIONS[o], stride) for o in options}))
            cin = width
        self.features = nn.ModuleList(features)
        self.head = nn.Sequential(*conv_bn(cin, spec["head"], 1))
        self.classifier = nn.Linear(spec["head"], spec["classes"])

    def forward(self, x):
        return self.classifier(self.head(self.body(self.first(self.stem(x)))).mean((2, 3)))


class Basic(nn.Module):
    """CIFAR ResNet block with the parameter-free shortcut."""

    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.stride, self.extra = stride, (cout - cin) // 2

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        if self.stride > 1 or self.extra:
            x = nn.functional.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, self.extra, self.extra))
        return torch.relu(x + y)


class ResNetCifar(nn.Module):
    def __init__(self, blocks=3):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        cin = 16
        for stage, width in enumerate((16, 32, 64), 1):
            layers = []
            for j in range(blocks):
                layers.append(Basic(cin, width, 2 if stage > 1 and j == 0 else 1))
                cin = width
            setattr(self, f"layer{stage}", nn.Sequential(*layers))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def branch(cin, mid, cout, kernel, stride, xception):
    """SPOS's branch_main: one depthwise convolution between two 1x1, or three before three."""
    def bn(c):
        return nn.BatchNorm2d(c, affine=False)

    def dw(c, k, s):
        return [nn.Conv2d(c, c, k, s, k // 2, groups=c, bias=False), bn(c)]

    def pw(a, b):
        return [nn.Conv2d(a, b, 1, bias=False), bn(b), nn.ReLU()]
    if xception:
        layers = dw(cin, 3, stride) + pw(cin, mid) + dw(mid, 3, 1) + pw(mid, mid) + dw(mid, 3, 1) + pw(mid, cout)
    else:
        layers = pw(cin, mid) + dw(mid, kernel, stride) + pw(mid, cout)
    return nn.Sequential(*layers)


class Shuffle(nn.Module):
    def __init__(self, cin, cout, option, stride):
        super().__init__()
        self.stride, kernel, xception = stride, (3, 5, 7, 3)[option], option == 3
        mid = cout // 2
        if stride == 2:
            self.branch_proj = nn.Sequential(
                nn.Conv2d(cin, cin, kernel, 2, kernel // 2, groups=cin, bias=False), nn.BatchNorm2d(cin, affine=False),
                nn.Conv2d(cin, cin, 1, bias=False), nn.BatchNorm2d(cin, affine=False), nn.ReLU())
            self.branch_main = branch(cin, mid, cout - cin, kernel, 2, xception)
        else:
            self.branch_main = branch(cin // 2, mid, mid, kernel, 1, xception)

    def forward(self, x):
        if self.stride == 2:
            return torch.cat((self.branch_proj(x), self.branch_main(x)), 1)
        return torch.cat((x[:, ::2], self.branch_main(x[:, 1::2])), 1)


class ShuffleNet(Path):
    """One path of the SPOS supernet."""

    def __init__(self, code=None):
        super().__init__(code or [0, 2, 1, 3, 2, 0, 1, 2, 3, 1, 0, 2, 1, 0, 2, 1, 2, 3, 0, 1])
        self.first_conv = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16, affine=False),
                                        nn.ReLU())
        cin, features = 16, []
        for width, blocks in zip((64, 160, 320, 640), (4, 4, 8, 4)):
            for j in range(blocks):
                option = self.code[len(features)]
                block = Shuffle(cin, width, option, 1 if j else 2)
                features.append(nn.ModuleDict({str(option): block}))
                cin = width
        self.features = nn.ModuleList(features)
        self.conv_last = nn.Sequential(nn.Conv2d(640, 1024, 1, bias=False), nn.BatchNorm2d(1024, affine=False),
                                       nn.ReLU())
        self.classifier = nn.Sequential(nn.Linear(1024, 1000, bias=False))

    def forward(self, x):
        return self.classifier(self.conv_last(self.body(self.first_conv(x))).mean((2, 3)))


def initialise(net, seed=0):
    """Weights that keep activations in range through forty layers: He scaling, BatchNorm near one."""
    draw = torch.Generator().manual_seed(seed)
    for m in net.modules():
        if isinstance(m, nn.Conv2d):
            m.weight.data = torch.randn(m.weight.shape, generator=draw) * (2 / m.weight[0].numel()) ** 0.5
        elif isinstance(m, nn.BatchNorm2d) and m.affine:
            m.weight.data = torch.rand(m.weight.shape, generator=draw) + 0.5
            m.bias.data = torch.randn(m.bias.shape, generator=draw) * 0.2
        elif isinstance(m, nn.Linear):
            m.weight.data = torch.randn(m.weight.shape, generator=draw) * 0.05
            if m.bias is not None:
                m.bias.data.zero_()
    return net
