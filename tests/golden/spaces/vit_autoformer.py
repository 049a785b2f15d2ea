"""AutoFormer's tiny supernet, with relative positions, pooling over patches and the dealt-out qkv."""
import torch
import torch.nn.functional as F
from torch import nn

NAME = "vit-autoformer"
WIDTH, HEADS, SIZE, REACH, DEPTH = 256, 4, 64, 2, 14
EDIT = {("input",): [3, SIZE, SIZE], ("constants", "reach"): REACH, ("network", 7, "linear"): 10}
IMAGES = (2, 8)


def linear(m, x, out):
    return F.linear(x, m.weight[:out, :x.shape[-1]], m.bias[:out])


def norm(m, x):
    c = x.shape[-1]
    return F.layer_norm(x, (c,), m.weight[:c], m.bias[:c])


class Relative(nn.Module):
    def __init__(self):
        super().__init__()
        self.embeddings_table_v = nn.Parameter(torch.zeros(2 * REACH + 2, WIDTH // HEADS))
        self.embeddings_table_h = nn.Parameter(torch.zeros(2 * REACH + 2, WIDTH // HEADS))

    def forward(self, tokens):
        side = int((tokens - 1) ** 0.5)
        at = torch.arange(tokens - 1)
        out = torch.zeros(tokens, tokens, WIDTH // HEADS)
        for table, place in ((self.embeddings_table_v, at // side), (self.embeddings_table_h, at % side)):
            index = torch.zeros(tokens, tokens, dtype=torch.long)
            index[1:, 1:] = (place[None, :] - place[:, None]).clamp(-REACH, REACH) + REACH + 1
            out = out + table[index]
        return out


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.rel_pos_embed_k, self.rel_pos_embed_v = Relative(), Relative()

    def forward(self, x, heads):
        n, t, c = x.shape
        out, scale = 3 * 64 * heads, 64 ** -0.5
        rows = self.qkv.weight[:out, :c]
        qkv = torch.cat([x @ rows[i::3].T for i in range(3)], -1) + self.qkv.bias[:out]
        q, k, v = (p.view(n, t, heads, 64).transpose(1, 2) for p in qkv.chunk(3, -1))
        score = q @ k.transpose(2, 3) + torch.einsum("nhid,ijd->nhij", q, self.rel_pos_embed_k(t))
        weight = (score * scale).softmax(-1)
        y = weight @ v + torch.einsum("nhij,ijd->nhid", weight, self.rel_pos_embed_v(t))
        return linear(self.proj, y.transpose(1, 2).reshape(n, t, 64 * heads), c)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn, self.attn_layer_norm, self.ffn_layer_norm = Attention(), nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.fc1, self.fc2 = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x, ratio, heads):
        c = x.shape[-1]
        x = x + self.attn(norm(self.attn_layer_norm, x), heads)
        return x + linear(self.fc2, F.gelu(linear(self.fc1, norm(self.ffn_layer_norm, x), int(c * ratio))), c)


class Supernet(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch_embed_super = nn.Module()
        self.patch_embed_super.proj = nn.Conv2d(3, WIDTH, 16, 16)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.pos_embed = nn.Parameter(torch.zeros(1, (SIZE // 16) ** 2 + 1, WIDTH))
        self.blocks = nn.ModuleList(Block() for _ in range(DEPTH))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 10)

    def forward(self, x, code):
        code = [float(v) for v in code.split(",")]
        depth, width = int(code[0]), int(code[-1])
        proj = self.patch_embed_super.proj
        x = F.conv2d(x, proj.weight[:width], proj.bias[:width], 16).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token[..., :width].expand(len(x), -1, -1), x], 1) + self.pos_embed[..., :width]
        for i in range(depth):
            x = self.blocks[i](x, code[1 + i], int(code[1 + DEPTH + i]))
        return linear(self.head, norm(self.norm, x)[:, 1:].mean(1), 10)
