"""AttentiveNAS."""
from attentive import Network

NAME = "attentive-nas"
EDIT = {("input",): [3, 72, 72], ("decisions", "r"): [56, 64, 72], ("network", 4, "seq", 0, "linear"): 10}


def Supernet():
    w = [[16, 24], [16, 24], [24, 32], [32, 40], [64, 72], [112, 120, 128], [192, 200, 208, 216], [216, 224], [1792, 1984]]
    d, t = [[2], [5], [6], [6], [8], [8], [2]], [[1], [6], [6], [6], [6], [6], [6]]
    return Network(w, d, [[5]] * 7, t, (1, 2, 2, 2, 1, 2, 1), (0, 0, 1, 0, 1, 1, 1), True)
