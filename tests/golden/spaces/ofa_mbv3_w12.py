"""Once-for-All on MobileNetV3, width 1.2."""
from ofa import Network

NAME = "ofa-mbv3-w1.2"
EDIT = {("input",): [3, 64, 64], ("decisions", "r"): [64], ("network", 7, "seq", 0, "linear"): 10}


def Supernet():
    widths, strides = (32, 48, 96, 136, 192), (2, 2, 2, 1, 2)
    acts, se = ("relu", "relu", "hswish", "hswish", "hswish"), (False, True, False, True, True)
    return Network(24, 24, list(zip(widths, strides, acts, se, [4] * 5)), ("hswish", "relu", "hswish"),
                   {"last": 1152, "mix": 1536})
