"""Once-for-All on the ProxylessNAS network, width 1.3."""
from ofa import Network

NAME = "ofa-proxyless"
EDIT = {("input",): [3, 64, 64], ("decisions", "r"): [48, 64], ("network", 6, "seq", 0, "linear"): 10}


def Supernet():
    widths, strides = (32, 56, 104, 128, 248, 416), (2, 2, 2, 1, 2, 1)
    return Network(40, 24, [(w, s, "relu6", False, n) for w, s, n in zip(widths, strides, (4, 4, 4, 4, 4, 1))],
                   ("relu6", "relu6", "relu6"), {"mix": 1664}, eps=1e-3)
