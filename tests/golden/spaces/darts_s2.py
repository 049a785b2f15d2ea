"""DARTS-PT's S2."""
import darts_cells
from darts_cells import EDIT  # noqa: F401

NAME = "darts-s2"
OPS = ["skip_connect", "sep_conv_3x3"]


def Supernet():
    return darts_cells.Supernet([[OPS] * 14] * 2)
