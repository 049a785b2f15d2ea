"""Networks whose widths are the first channels of the widest one: channel_bench_*.py."""
import torch.nn.functional as F
from torch import nn

from parity import SliceNorm


def conv_bn(i, o, kernel, stride=1, groups=1):
    return [nn.Conv2d(i, o, kernel, stride, kernel // 2, groups=groups, bias=False), SliceNorm(o)]


def run(seq, x, widths):
    """The convolutions of a sequence take their widths in turn; a depthwise one keeps the width."""
    widths = iter(widths)
    for layer in seq:
        if isinstance(layer, nn.Conv2d):
            out, groups = (x.shape[1],) * 2 if layer.groups > 1 else (next(widths), 1)
            w = layer.weight[:out] if groups > 1 else layer.weight[:out, :x.shape[1]]
            x = F.conv2d(x, w, None, layer.stride, layer.padding, 1, groups)
        else:
            x = layer(x)
    return x


def classify(linear, x):
    x = x.mean((2, 3))
    return F.linear(x, linear.weight[:, :x.shape[1]], linear.bias)
