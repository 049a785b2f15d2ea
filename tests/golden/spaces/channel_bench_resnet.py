"""Channel-Bench-Macro's ResNet; half its widths."""
import torch.nn.functional as F
from torch import nn

from slim import classify, conv_bn, run

NAME = "channel-bench-resnet"
MOST = (128, 128, 128, 256, 256, 256, 256)
EDIT = {("constants", "most"): list(MOST)}


def block(cin, mid, cout, stride=1):
    return nn.Sequential(*conv_bn(cin, mid, 3, stride), nn.ReLU(), *conv_bn(mid, cout, 3))


class Supernet(nn.Module):
    def __init__(self):
        super().__init__()
        a, b, c, d, e, f, g = MOST
        self.stem = nn.Sequential(*conv_bn(3, a, 3, 2), nn.ReLU())
        self.block1, self.block2, self.block3 = block(a, b, a), block(a, c, a), block(a, d, e, 2)
        self.block4, self.block5 = block(e, f, e), block(e, g, e)
        self.classifier = nn.Linear(e, 10)

    def forward(self, x, code):
        a, b, c, d, e, f, g = (most * int(digit) // 4 for most, digit in zip(MOST, code))
        x = run(self.stem, x, (a,))
        x = F.relu(x + run(self.block1, x, (b, a)))
        x = F.relu(x + run(self.block2, x, (c, a)))
        x = F.relu(run(self.block3, x, (d, e)))
        x = F.relu(x + run(self.block4, x, (f, e)))
        x = F.relu(x + run(self.block5, x, (g, e)))
        return classify(self.classifier, x)
