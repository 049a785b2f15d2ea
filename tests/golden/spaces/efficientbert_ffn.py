"""EfficientBERT's supernet with formulas of one shape; the formula is a text that Python evaluates."""
import torch
import torch.nn.functional as F
from torch import nn

NAME = "efficientbert-ffn"
WIDTH, HEADS, WORDS, PLACES, TOKENS = 60, 12, 50, 16, 10
EDIT = {("input",): [3, TOKENS, 1], ("constants", "width"): WIDTH, ("constants", "words"): WORDS,
        ("constants", "places"): PLACES}
IMAGES = (2, 8)


def images(n):
    """Token ids, segments, padding: as many tokens as a row's length, the rest padding (id 0)."""
    length = torch.randint(3, TOKENS + 1, (n, 1))
    at = torch.arange(TOKENS).expand(n, -1)
    ids = torch.randint(1, WORDS, (n, TOKENS)) * (at < length)
    return torch.stack([ids, (at > length // 2) * (at < length), (at >= length) * 1], 1)


def cut(f):
    def g(x, y):
        c = min(x.shape[-1], y.shape[-1])
        return f(x[..., :c], y[..., :c])
    return g


WORDS_OF_A_FORMULA = {
    "add": cut(torch.add), "mul": cut(torch.mul), "max": cut(torch.maximum), "tanh": torch.tanh, "relu": F.relu,
    "sigmoid": torch.sigmoid, "leaky_relu": F.leaky_relu, "elu": F.elu, "swish": lambda x: x * torch.sigmoid(x),
    "gelu": lambda x: F.gelu(x, approximate="tanh"), "linear": lambda x, wb: x @ wb[0].T + wb[1]}


def formula(out, post, act, mid, pre, pre_act):
    """The prefix expression in the reference's words."""
    def both(how, a, b):
        return a if how == "x" else f"{how}({a},{b})"

    def through(f, a):
        return a if f == "x" else f"{f}({a})"
    inner = both(mid, f"linear({both(pre, 'x', pre_act + '(x)')},wb1)", "x")
    return through(out, both(post, f"linear({through(act, inner)},wb2)", "x"))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.dense = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.layernorm = nn.LayerNorm(WIDTH)

    def forward(self, x, padding):
        n, t, c = x.shape
        q, k, v = (m(x).view(n, t, HEADS, c // HEADS).transpose(1, 2) for m in (self.query, self.key, self.value))
        score = q @ k.transpose(2, 3) / (c // HEADS) ** 0.5 - 10000.0 * padding[:, None, None, :]
        return self.layernorm(x + self.dense((score.softmax(-1) @ v).transpose(1, 2).reshape(n, t, c)))


class Ffn(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense1, self.dense2, self.layernorm = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH), nn.LayerNorm(WIDTH)

    def forward(self, x, text, inner):
        wb1 = self.dense1.weight[:inner], self.dense1.bias[:inner]
        wb2 = self.dense2.weight[:, :inner], self.dense2.bias
        y = eval(text, {**WORDS_OF_A_FORMULA, "x": x, "wb1": wb1, "wb2": wb2})
        return self.layernorm(x + y)


class Embeddings(nn.Module):
    def __init__(self):
        super().__init__()
        self.token_embeddings, self.segment_embeddings = nn.Embedding(WORDS, 128), nn.Embedding(2, WIDTH)
        self.position_embeddings, self.dense = nn.Embedding(PLACES, WIDTH), nn.Linear(3 * 128, WIDTH)
        self.layernorm = nn.LayerNorm(WIDTH)

    def forward(self, ids, segments):
        e = self.token_embeddings(ids)
        e = torch.cat([F.pad(e[:, 1:], (0, 0, 0, 1)), e, F.pad(e[:, :-1], (0, 0, 1, 0))], 2)
        places = self.position_embeddings(torch.arange(ids.shape[1]))
        return self.layernorm(self.dense(e) + self.segment_embeddings(segments) + places)


class Supernet(nn.Module):
    def __init__(self):
        super().__init__()
        self.embeddings = Embeddings()
        self.encoder = nn.ModuleList(nn.Module() for _ in range(6))
        for layer in self.encoder:
            layer.attention, layer.all_ffn = Attention(), nn.ModuleList(Ffn() for _ in range(4))
        self.cls_pooler = nn.Module()
        self.cls_pooler.dense, self.classifier = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 3)

    def forward(self, x, code):
        ids, segments, padding = x.unbind(1)
        x = self.embeddings(ids, segments)
        for layer, text in zip(self.encoder, code.split(", ")):
            size, *words = text.split()
            stack, ratio = size.split("_")
            x = layer.attention(x, padding)
            for ffn in layer.all_ffn[:int(stack)]:
                x = ffn(x, formula(*words), WIDTH // int(ratio))
        return self.classifier(torch.tanh(self.cls_pooler.dense(x[:, 0])))
