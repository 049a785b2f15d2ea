"""BigNAS as pytorch-BigNAS configures it."""
from attentive import Network

NAME = "big-nas"
EDIT = {("input",): [3, 64, 64], ("decisions", "r"): [64, 80], ("network", 5, "seq", 0, "linear"): 10}


def Supernet():
    w = [[40], [24], [32], [48], [88], [128], [216], [352], [1408]]
    d, t = [[2], [3], [3], [4], [6], [6], [2]], [[1], [6], [6], [6], [6], [6], [6]]
    return Network(w, d, [[3], [3]] + [[5]] * 5, t, (1, 2, 2, 2, 1, 2, 1), [1] * 7, False)
