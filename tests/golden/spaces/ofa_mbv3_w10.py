"""Once-for-All on MobileNetV3, width 1.0."""
from ofa import Network

NAME = "ofa-mbv3-w1.0"
EDIT = {("input",): [3, 96, 96], ("decisions", "r"): [64, 80, 96], ("network", 7, "seq", 0, "linear"): 10}
IMAGES = (2, 12)


def Supernet():
    widths, strides = (24, 40, 80, 112, 160), (2, 2, 2, 1, 2)
    acts, se = ("relu", "relu", "hswish", "hswish", "hswish"), (False, True, False, True, True)
    return Network(16, 16, list(zip(widths, strides, acts, se, [4] * 5)), ("hswish", "relu", "hswish"),
                   {"last": 960, "mix": 1280})
