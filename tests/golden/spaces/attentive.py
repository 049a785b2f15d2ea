"""AttentiveNAS's dynamic network: prefix slices, centre crops, pooled and projected shortcuts. Used by attentive_nas.py
and big_nas.py."""
import torch.nn.functional as F
from torch import nn

from parity import SliceNorm, round8


class Conv(nn.Module):
    def __init__(self, i, o, kernel, stride=1, depthwise=False):
        super().__init__()
        self.conv = nn.Conv2d(i, o, kernel, stride, kernel // 2, groups=o if depthwise else 1, bias=False)
        self.depthwise, self.stride, self.kernel = depthwise, stride, kernel

    def forward(self, x, out, kernel=None):
        kernel = kernel or self.kernel
        w, cut = self.conv.weight, (self.kernel - kernel) // 2
        w = w[:out, :1 if self.depthwise else x.shape[1], cut:cut + kernel, cut:cut + kernel]
        return F.conv2d(x, w, None, self.stride, kernel // 2, 1, out if self.depthwise else 1)


class Norm(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.bn = SliceNorm(c)

    def forward(self, x):
        return self.bn(x)


def group(**parts):
    return nn.ModuleDict(parts)


class SE(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.fc = group(reduce=nn.Conv2d(c, round8(c / 4), 1), expand=nn.Conv2d(round8(c / 4), c, 1))

    def forward(self, x):
        c, r, e = x.shape[1], self.fc["reduce"], self.fc["expand"]
        mid = round8(c / 4)
        y = F.relu(F.conv2d(x.mean((2, 3), keepdim=True), r.weight[:mid, :c], r.bias[:mid]))
        return x * F.relu6(F.conv2d(y, e.weight[:c, :mid], e.bias[:c]) + 3) / 6


class Block(nn.Module):
    def __init__(self, cin, cout, stride, expand, kernel, se):
        super().__init__()
        mid = round8(cin * expand)
        self.stride = stride
        depth = dict(conv=Conv(mid, mid, kernel, stride, True), bn=Norm(mid))
        if se:
            depth["se"] = SE(mid)
        parts = dict(depth_conv=group(**depth), point_linear=group(conv=Conv(mid, cout, 1), bn=Norm(cout)))
        if expand > 1:
            parts["inverted_bottleneck"] = group(conv=Conv(cin, mid, 1), bn=Norm(mid))
        self.mobile_inverted_conv = nn.ModuleDict(parts)
        self.shortcut = group(conv=Conv(cin, cout, 1))

    def forward(self, x, out, expand, kernel):
        p, y = self.mobile_inverted_conv, x
        if "inverted_bottleneck" in p:
            a = p["inverted_bottleneck"]
            y = F.silu(a["bn"](a["conv"](y, round8(x.shape[1] * expand))))
        b, c = p["depth_conv"], p["point_linear"]
        y = F.silu(b["bn"](b["conv"](y, y.shape[1], kernel)))
        if "se" in b:
            y = b["se"](y)
        y = c["bn"](c["conv"](y, out))
        if self.stride == 2:
            x = F.avg_pool2d(x, 2, 2, x.shape[2] % 2)
        if x.shape[1] != out:
            x = self.shortcut["conv"](x, out)
        return x + y


class Network(nn.Module):
    def __init__(self, w, d, k, t, stride, se, v3):
        super().__init__()
        w = [max(x) for x in w]
        self.v3, self.depths = v3, [max(x) for x in d]
        self.first_conv = group(conv=Conv(3, w[0], 3, 2), bn=Norm(w[0]))
        self.blocks, cin = nn.ModuleList(), w[0]
        for s in range(7):
            for b in range(self.depths[s]):
                self.blocks.append(Block(cin, w[s + 1], stride[s] if b == 0 else 1, max(t[s]), max(k[s]), se[s]))
                cin = w[s + 1]
        if v3:
            self.last_conv = group(final_expand_layer=group(conv=Conv(cin, cin * 6, 1), bn=Norm(cin * 6)),
                                   feature_mix_layer=group(conv=Conv(cin * 6, w[8], 1)))
        else:
            self.last_conv = group(conv=Conv(cin, w[8], 1), bn=Norm(w[8]))
        self.classifier = group(linear=group(linear=nn.Linear(w[8], 10)))

    def forward(self, x, code):
        v = [int(i) for i in code.split(",")]
        r, w, d, k, t = v[0], v[1:10], v[10:17], v[17:24], v[24:31]
        if x.shape[2] != r:
            x = F.interpolate(x, size=(r, r), mode="bicubic", align_corners=False)
        x = F.silu(self.first_conv["bn"](self.first_conv["conv"](x, w[0])))
        first = 0
        for s in range(7):
            for b in range(d[s]):
                x = self.blocks[first + b](x, w[s + 1], t[s], k[s])
            first += self.depths[s]
        h = self.last_conv
        if self.v3:
            a = h["final_expand_layer"]
            x = F.silu(a["bn"](a["conv"](x, x.shape[1] * 6))).mean((2, 3), keepdim=True)
            x = F.silu(h["feature_mix_layer"]["conv"](x, w[8])).flatten(1)
        else:
            x = F.silu(h["bn"](h["conv"](x, w[8]))).mean((2, 3))
        linear = self.classifier["linear"]["linear"]
        return F.linear(x, linear.weight[:, :w[8]], linear.bias)
