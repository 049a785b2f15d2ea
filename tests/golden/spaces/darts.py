"""DARTS with the operators of DARTS-PT's S5."""
import darts_cells
from darts_cells import EDIT  # noqa: F401

NAME = "darts"
OPS = ["max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"]


def Supernet():
    return darts_cells.Supernet([[OPS] * 14] * 2)
