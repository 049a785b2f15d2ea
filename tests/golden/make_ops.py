#!/usr/bin/python3
"""Writes ops.json and ops.safetensors: for every operator a few cases computed by PyTorch (odd sizes, channel counts
that are no multiple of 16, strides, groups, dilation). tests/unit/worker/test_ops.c runs them on every back end.
Run in this directory: ./make_ops.py"""
import json
import struct

import numpy as np
import torch
import torch.nn.functional as F

torch.manual_seed(1)
cases, tensors = [], {}


def keep(t):
    """The name a tensor is stored under; one used by several cases is stored once."""
    for name, known in tensors.items():
        if known is t:
            return name
    tensors[f"t{len(tensors)}"] = t
    return f"t{len(tensors) - 1}"


def case(op, xs, y, params=(), **attr):
    shape = lambda t: list(t.shape[1:]) + [1] * (4 - t.dim())
    cases.append({"op": op, "n": xs[0].shape[0], "in": [shape(x) for x in xs], "out": shape(y), "attr": attr,
                  "params": [None if p is None else list(p.shape) for p in params], "x": [keep(x) for x in xs],
                  "p": [None if p is None else keep(p) for p in params], "y": keep(y)})


def conv(c, o, h, w, k, stride=1, pad=0, dilation=1, groups=1, bias=False, n=2):
    kh, kw = k if isinstance(k, tuple) else (k, k)
    ph, pw = pad if isinstance(pad, tuple) else (pad, pad)
    x, wt = torch.randn(n, c, h, w), torch.randn(o, c // groups, kh, kw) / (c * kh * kw / groups) ** .5
    b = torch.randn(o) if bias else None
    y = F.conv2d(x, wt, b, stride, (ph, pw), dilation, groups)
    case("conv", [x], y, [wt, b], kernel_h=kh, kernel_w=kw, stride=stride, pad_h=ph, pad_w=pw, dilation=dilation,
         groups=groups)


conv(3, 20, 7, 5, 3, 1, 1)
conv(19, 35, 5, 3, 1)
conv(24, 17, 3, 4, 1, bias=True)
conv(18, 18, 7, 6, 3, 2, 1, groups=18)
conv(17, 17, 7, 6, 5, 1, 2, groups=17)
conv(16, 16, 5, 7, 7, 2, 3, groups=16, n=1)
conv(5, 6, 9, 8, 3, 1, 2, dilation=2)
conv(12, 18, 5, 5, 3, 1, 1, groups=3, bias=True)
conv(32, 34, 3, 3, 3, 1, 1, groups=2, n=1)
conv(20, 33, 6, 7, 1, 2)
conv(7, 9, 6, 7, (1, 7), 1, (0, 3))
x = torch.randn(3, 37)
w, b = torch.randn(11, 37) / 6, torch.randn(11)
case("linear", [x], F.linear(x, w, b), [w, b])
x = torch.randn(2, 21, 5, 1)
g, b = torch.randn(21), torch.randn(21)
case("layernorm", [x], F.layer_norm(x.permute(0, 2, 3, 1), [21], g, b, 1e-5).permute(0, 3, 1, 2), [g, b], eps=1e-5)
acts = {"none": lambda v: v, "relu": F.relu, "relu6": F.relu6, "hswish": F.hardswish, "hsigmoid": F.hardsigmoid,
        "swish": F.silu, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "gelu": F.gelu,
        "gelu_tanh": lambda v: .5 * v * (1 + torch.tanh((2 / np.pi) ** .5 * (v + .044715 * v ** 3))),
        "softmax": lambda v: F.softmax(v, 1), "elu": F.elu, "leaky_relu": F.leaky_relu}
x = torch.randn(2, 17, 1, 3) * 3
for i, name in enumerate(acts):
    case("act", [x], acts[name](x), act=i)
x = [torch.randn(2, 21, 3, 2) for _ in range(3)]
case("add", x, x[0] + x[1] + x[2])
gate = torch.randn(2, 21, 1, 1)
case("mul", [x[0], gate], x[0] * gate)
case("mul", x[:2], x[0] * x[1])
case("scale", x[:1], x[0] * .625, scale=.625)
p1, pc = torch.randn(1), torch.randn(21)
case("scale", x[:1], x[0] * torch.sigmoid(p1), [p1], act=6)
case("scale", x[:1], x[0] * pc.view(-1, 1, 1), [pc])
x = [torch.randn(2, c, 2, 3) for c in (16, 5, 18)]
case("concat", x, torch.cat(x, 1))
x = torch.randn(2, 36, 2, 1)
case("slice", [x], x[:, 1::2], start=1, step=2)
case("slice", [x], x[:, 16:33], start=16, step=1)
case("shuffle", [x], x.view(2, 3, 12, 2).transpose(1, 2).reshape(2, 36, 2, 1), groups=3)
case("padc", [x], F.pad(x, (0, 0, 0, 0, 5, 9)), before=5, after=9)
x = torch.randn(1, 17, 5, 6)
case("subsample", [x], x[:, :, ::2, ::2], stride=2, start=0)
case("subsample", [x], F.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:][:, :, ::2, ::2], stride=2, start=1)
for k, s, pad, ceil, count in ((3, 1, 1, 0, 0), (3, 2, 1, 0, 1), (2, 2, 0, 1, 0), (3, 2, 1, 1, 1)):
    a = dict(kernel_h=k, kernel_w=k, stride=s, pad_h=pad, pad_w=pad, ceil=ceil)
    case("avgpool", [x], F.avg_pool2d(x, k, s, pad, bool(ceil), bool(count)), count_pad=count, **a)
    case("maxpool", [x], F.max_pool2d(x, k, s, pad, 1, bool(ceil)), **a)
case("gap", [x], x.mean((2, 3), keepdim=True))
x = torch.randn(1, 17, 4, 5)
for size in ((6, 7), (3, 4)):
    case("resize", [x], F.interpolate(x, size, mode="bilinear", align_corners=False), mode=0)
    case("resize", [x], F.interpolate(x, size, mode="bicubic", align_corners=False), mode=1)
x = torch.randn(2, 2 * 3 * 7, 1, 1)
y = F.softmax(x.view(2, 2, 3, 7).transpose(1, 2), 1).reshape(2, -1, 1, 1)
case("rsoftmax", [x], y, groups=2, step=3)
x, token = torch.randn(2, 19, 3, 2), torch.randn(19)
case("tokens", [x], x.flatten(2))
case("tokens", [x], torch.cat([token.expand(2, -1).unsqueeze(2), x.flatten(2)], 2), [token.view(1, 1, -1)])
case("untokens", [x.flatten(2)], x)
case("select", [x.flatten(2)], x.flatten(2)[:, :, 4:5], start=4)
case("select", [x.flatten(2)], x.flatten(2)[:, :, 1:5], start=1)
p = torch.randn(1, 19, 3, 2)
case("addparam", [x], x + p, [p])
p = torch.randn(1, 6, 19)
case("addparam", [x.flatten(2)], x.flatten(2) + p.transpose(1, 2), [p])
p = torch.randn(19)
case("addparam", [x], x + p.view(-1, 1, 1), [p])
ids, table = torch.randint(0, 13, (2, 1, 5)), torch.randn(13, 21)
case("embed", [ids.float()], F.embedding(ids[:, 0], table).transpose(1, 2), [table])
x = torch.randn(2, 3 * 24, 7)
q, k, v = (t.reshape(2, 3, 8, 7).transpose(2, 3) for t in x.chunk(3, 1))
y = (F.softmax(q @ k.transpose(2, 3) * 8 ** -.5, 3) @ v).transpose(2, 3).reshape(2, 24, 7)
case("attention", [x], y, groups=3, scale=8 ** -.5)
weights = F.softmax(q @ k.transpose(2, 3) * 8 ** -.5, 3)
case("attention", [x], (weights.transpose(2, 3) @ v).transpose(2, 3).reshape(2, 24, 7), groups=3, scale=8 ** -.5, mode=1)
x, tables = torch.randn(2, 3 * 16, 17), [torch.randn(6, 8) for _ in range(4)]  # a class token and a square of 4 x 4
q, k, v = (t.reshape(2, 2, 8, 17).transpose(2, 3) for t in x.chunk(3, 1))
place = torch.tensor([[-9, -9]] + [[i // 4, i % 4] for i in range(16)])
rows = (place[None] - place[:, None]).clamp(-2, 2) + 3
rows[0], rows[:, 0] = 0, 0
of_k, of_v = (a[rows[..., 0]] + b[rows[..., 1]] for a, b in (tables[:2], tables[2:]))
weights = F.softmax((q @ k.transpose(2, 3) + torch.einsum("nhid,ijd->nhij", q, of_k)) * 8 ** -.5, 3)
y = weights @ v + torch.einsum("nhij,ijd->nhid", weights, of_v)
case("attention", [x], y.transpose(2, 3).reshape(2, 16, 17), tables, groups=2, scale=8 ** -.5, step=2)
case("zero", [x], torch.zeros(2, 5, 3, 2))
x = torch.randn(2, 3 * 16 + 1, 7)
x[:, -1] = torch.tensor([[0, 0, 0, 0, 0, 1, 1], [0, 0, 1, 1, 1, 1, 1.]])
q, k, v = (t.reshape(2, 2, 8, 7).transpose(2, 3) for t in x[:, :-1].chunk(3, 1))
weights = F.softmax(q @ k.transpose(2, 3) * 8 ** -.5 - 10000 * x[:, None, None, -1], 3)
case("attention", [x], (weights @ v).transpose(2, 3).reshape(2, 16, 7), groups=2, scale=8 ** -.5, after=1)
x = torch.randn(2, 19, 5)
case("select", [x], F.pad(x[:, :, :-1], (1, 0)), start=-1)
case("select", [x], F.pad(x[:, :, 2:], (0, 2)), start=2)
x = [torch.randn(2, 21, 3, 2) for _ in range(3)]
case("max", x, torch.stack(x).max(0).values)
x = torch.randn(2, 67, 2, 1)
case("slice", [x], x[:, ::2], start=0, step=2)
case("slice", [x], x[:, 17::2], start=17, step=2)

header, blobs, at = {}, [], 0
for name, t in tensors.items():
    blob = t.detach().contiguous().numpy().astype("<f4").tobytes()
    header[name] = {"dtype": "F32", "shape": list(t.shape), "data_offsets": [at, at + len(blob)]}
    blobs.append(blob)
    at += len(blob)
text = json.dumps(header, separators=(",", ":")).encode()
text += b" " * (-len(text) % 8)
with open("ops.safetensors", "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
with open("ops.json", "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
