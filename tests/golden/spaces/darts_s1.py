"""DARTS-PT's S1: two operators for each edge."""
import json

import darts_cells
from darts_cells import EDIT  # noqa: F401
from parity import ROOT

NAME = "darts-s1"
KINDS = json.loads((ROOT / f"proto/spaces/{NAME}.json").read_text())["decisions"]["edge"]["of"]


class Supernet(darts_cells.Supernet):
    def __init__(self):
        super().__init__([KINDS[:14], KINDS[14:]])

    @staticmethod
    def genotype(code):
        words = code.split()
        out = []
        for kind in range(2):
            ops, nodes = words[8 + 14 * kind:22 + 14 * kind], words[4 * kind:4 * kind + 4]
            out.append([[(ops[n * (n + 3) // 2 + int(j)], int(j)) for j in pair.split("+")]
                        for n, pair in enumerate(nodes)])
        return out
