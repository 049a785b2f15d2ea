"""Channel-Bench-Macro's MobileNet."""
from torch import nn

from slim import classify, conv_bn, run

NAME = "channel-bench-mobilenet"
MOST = (128, 768, 768, 768, 256, 1536, 1024)


class Block(nn.Module):
    def __init__(self, cin, mid, cout, stride=1):
        super().__init__()
        self.conv = nn.Sequential(*conv_bn(cin, mid, 1), nn.ReLU(), *conv_bn(mid, mid, 3, stride, mid), nn.ReLU(),
                                  *conv_bn(mid, cout, 1))
        self.residual = stride == 1

    def forward(self, x, mid, out):
        y = run(self.conv, x, (mid, out))
        return x + y if self.residual else y


class Supernet(nn.Module):
    def __init__(self):
        super().__init__()
        a, b, c, d, e, f, g = MOST
        self.stem = nn.Sequential(*conv_bn(3, a, 3, 2), nn.ReLU())
        self.features = nn.ModuleList([Block(a, b, a), Block(a, c, a), Block(a, d, e, 2), Block(e, f, e)])
        self.out = nn.Sequential(*conv_bn(e, g, 1), nn.ReLU())
        self.classifier = nn.Linear(g, 10)

    def forward(self, x, code):
        a, b, c, d, e, f, g = (most * int(digit) // 4 for most, digit in zip(MOST, code))
        x = run(self.stem, x, (a,))
        for block, mid, out in zip(self.features, (b, c, d, f), (a, a, e, e)):
            x = block(x, mid, out)
        return classify(self.classifier, run(self.out, x, (g,)))
