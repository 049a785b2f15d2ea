"""Once-for-All's dynamic layers: one weight of the largest size, the first channels and the kernel's centre of it, the
kernels 5 and 3 by learned matrices. The networks that use them are ofa_*.py."""
import torch
import torch.nn.functional as F
from torch import nn

from parity import SliceNorm, round8

def hsigmoid(x):
    return F.relu6(x + 3) / 6


ACTS = {"relu": F.relu, "relu6": F.relu6, "hswish": lambda x: x * hsigmoid(x)}


class Norm(nn.Module):
    def __init__(self, c, eps):
        super().__init__()
        self.bn = SliceNorm(c, eps=eps)

    def forward(self, x):
        return self.bn(x)


class Point(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.conv = nn.Conv2d(i, o, 1, bias=False)

    def forward(self, x, out):
        return F.conv2d(x, self.conv.weight[:out, :x.shape[1]])


class Depth(nn.Module):
    def __init__(self, c, stride):
        super().__init__()
        self.conv = nn.Conv2d(c, c, 7, groups=c, bias=False)
        self.stride = stride
        self.register_parameter("7to5_matrix", nn.Parameter(torch.eye(25)))
        self.register_parameter("5to3_matrix", nn.Parameter(torch.eye(9)))

    def forward(self, x, kernel):
        c = x.shape[1]
        w, size = self.conv.weight[:c], 7
        while size > kernel:
            matrix = getattr(self, f"{size}to{size - 2}_matrix")
            size -= 2
            w = F.linear(w[:, :, 1:-1, 1:-1].reshape(c, size * size), matrix).view(c, 1, size, size)
        return F.conv2d(x, w, None, self.stride, kernel // 2, 1, c)


class SE(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.fc = nn.ModuleDict({"reduce": nn.Conv2d(c, round8(c / 4), 1), "expand": nn.Conv2d(round8(c / 4), c, 1)})

    def forward(self, x):
        c = x.shape[1]
        mid, r, e = round8(c / 4), self.fc["reduce"], self.fc["expand"]
        y = F.relu(F.conv2d(x.mean((2, 3), keepdim=True), r.weight[:mid, :c], r.bias[:mid]))
        return x * hsigmoid(F.conv2d(y, e.weight[:c, :mid], e.bias[:c]))


class MBConv(nn.Module):
    def __init__(self, cin, cout, stride, act, se, eps=1e-5):
        super().__init__()
        mid = round8(cin * 6)
        self.cin, self.cout, self.stride, self.act = cin, cout, stride, ACTS[act]
        depth = {"conv": Depth(mid, stride), "bn": Norm(mid, eps)}
        if se:
            depth["se"] = SE(mid)
        self.conv = nn.ModuleDict({
            "inverted_bottleneck": nn.ModuleDict({"conv": Point(cin, mid), "bn": Norm(mid, eps)}),
            "depth_conv": nn.ModuleDict(depth),
            "point_linear": nn.ModuleDict({"conv": Point(mid, cout), "bn": Norm(cout, eps)})})

    def forward(self, x, kernel, expand):
        a, b, c = self.conv["inverted_bottleneck"], self.conv["depth_conv"], self.conv["point_linear"]
        y = self.act(a["bn"](a["conv"](x, round8(self.cin * expand))))
        y = self.act(b["bn"](b["conv"](y, kernel)))
        if "se" in b:
            y = b["se"](y)
        y = c["bn"](c["conv"](y, self.cout))
        return x + y if self.stride == 1 and self.cin == self.cout else y


def static(cin, cout, kernel, stride=1, groups=1, eps=1e-5, norm=True):
    parts = {"conv": nn.Conv2d(cin, cout, kernel, stride, kernel // 2, groups=groups, bias=False)}
    if norm:
        parts["bn"] = nn.BatchNorm2d(cout, eps=eps)
    return nn.ModuleDict(parts)


def run(parts, x, act):
    x = parts["conv"](x)
    return act(parts["bn"](x) if "bn" in parts else x)


class FirstBlock(nn.Module):
    def __init__(self, cin, cout, act, eps):
        super().__init__()
        self.conv = nn.ModuleDict({"depth_conv": static(cin, cin, 3, 1, cin, eps), "point_linear": static(cin, cout, 1, eps=eps)})
        self.act, self.residual = act, cin == cout

    def forward(self, x):
        y = run(self.conv["point_linear"], run(self.conv["depth_conv"], x, self.act), lambda v: v)
        return x + y if self.residual else y


class Network(nn.Module):
    """stages: (width, stride, activation, SE, blocks)"""

    def __init__(self, first, first_out, stages, acts, head, eps=1e-5, fixed=()):
        super().__init__()
        self.stem_act, self.eps, self.fixed = ACTS[acts[0]], eps, fixed
        self.first_conv = static(3, first, 3, 2, eps=eps)
        self.blocks = nn.ModuleList([FirstBlock(first, first_out, ACTS[acts[1]], eps)])
        self.groups, cin = [], first_out
        for width, stride, act, se, blocks in stages:
            self.groups.append(range(len(self.blocks), len(self.blocks) + blocks))
            for b in range(blocks):
                self.blocks.append(MBConv(cin, width, stride if b == 0 else 1, act, se, eps))
                cin = width
        self.head_act = ACTS[acts[2]]
        if "last" in head:
            self.final_expand_layer = static(cin, head["last"], 1)
            self.feature_mix_layer = static(head["last"], head["mix"], 1, norm=False)
        else:
            self.feature_mix_layer = static(cin, head["mix"], 1, eps=eps)
        self.classifier = nn.ModuleDict({"linear": nn.Linear(head["mix"], 10)})

    def forward(self, x, code):
        v = [int(t) for t in code.split(",")]
        n = len(self.blocks) - 1
        ks, e, d, r = v[:n], v[n:2 * n], v[2 * n:-1], v[-1]
        d = d + [len(g) for g in self.groups[len(d):]]
        if r != x.shape[2]:
            x = F.interpolate(x, size=(r, r), mode="bilinear", align_corners=False)
        x = self.blocks[0](run(self.first_conv, x, self.stem_act))
        for group, depth in zip(self.groups, d):
            for i in group[:depth]:
                x = self.blocks[i](x, ks[i - 1], e[i - 1])
        if hasattr(self, "final_expand_layer"):
            x = run(self.final_expand_layer, x, self.head_act).mean((2, 3), keepdim=True)
            x = run(self.feature_mix_layer, x, self.head_act)
        else:
            x = run(self.feature_mix_layer, x, self.head_act).mean((2, 3))
        return self.classifier["linear"](x.flatten(1))
