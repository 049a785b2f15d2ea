"""DARTS search networks under a genotype: darts.py, darts_s*.py."""
from cells import CellNetwork, operator

CHANNELS, CELLS = 8, 8
EDIT = {("constants", "channels"): CHANNELS}


class Supernet(CellNetwork):
    def __init__(self, ops):
        """ops[kind][edge]: names of the operators."""
        self.names = ops
        super().__init__(CHANNELS, CELLS,
                         lambda i, kind: lambda e, c, stride: [operator(o, c, stride) for o in ops[kind][e]])

    def forward(self, x, code):
        genotype = self.genotype(code)
        return self.run(x, lambda i, kind: [
            [(j, self.names[kind][n * (n + 3) // 2 + j].index(o)) for o, j in node]
            for n, node in enumerate(genotype[kind])])

    @staticmethod
    def genotype(code):
        """"op,op~i+j ..." to pairs (operator, input) for each kind and node."""
        cut = [[node.split("~") for node in cell.split()] for cell in code.split("|")]
        return [[list(zip(ops.split(","), map(int, pair.split("+")))) for ops, pair in cell] for cell in cut]
