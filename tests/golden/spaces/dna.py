"""DNA's student: cells per block, six operators a layer."""
from torch import nn

from mobile import Frame, MBConv

NAME = "dna"
EDIT = {("input",): [3, 48, 48], ("network", 14, "linear"): 10}
CELLS = [["2x24", "3x24"], ["3x40", "4x40"], ["4x80"], ["4x96", "4x112"], ["4x192", "5x160", "5x192"], ["1x320"]]
STRIDE = [2, 2, 2, 1, 2, 1]


def operators(cin, cout, stride):
    return nn.ModuleList(MBConv(cin, cout, stride, e, k) for e in (6, 3) for k in (3, 5, 7))


class Supernet(Frame):
    """The first layer of a cell exists once for each width it may be fed."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList()
        for b, cells in enumerate(CELLS):
            block = nn.ModuleList()
            for cell in cells:
                layers, width = map(int, cell.split("x"))
                feeds = [16] if b == 0 else sorted({int(c.split("x")[1]) for c in CELLS[b - 1]})
                first = nn.ModuleDict({str(f): operators(f, width, STRIDE[b]) for f in feeds})
                others = [nn.ModuleDict({str(width): operators(width, width, 1)}) for _ in range(layers - 1)]
                block.append(nn.ModuleList([first] + others))
            self.blocks.append(block)

    def body(self, x, code):
        for block, cells, part in zip(self.blocks, CELLS, code.split()):
            cell, ops = part.split(":") if ":" in part else (cells[0], part)
            for layer, op in zip(block[cells.index(cell)], ops):
                y = layer[str(x.shape[1])][int(op)](x)
                x = x + y if x.shape == y.shape else y
        return x
