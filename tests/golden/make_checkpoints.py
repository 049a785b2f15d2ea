"""Writes the small checkpoints that the unit tests read, and what PyTorch says is in them (expected.json).

Run with the system's PyTorch: /usr/bin/python3 tests/golden/make_checkpoints.py. The outputs are committed.
"""
import argparse
import collections
import io
import json
import os
import pathlib
import pickle
import struct
import zipfile

import torch

HERE = pathlib.Path(__file__).parent / "files"


def tensors():
    """Every type that is read; views, transposes, shared storages, scalars and an empty tensor."""
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6) / 8 - 1
    d = collections.OrderedDict()
    d["conv.weight"] = base
    d["conv.shared"] = base
    d["conv.row"] = base[2]
    d["conv.transposed"] = base.t()
    d["conv.strided"] = base[1::2, ::3]
    d["half"] = torch.tensor([1.5, -2.25, 6.1e-5, 3e-8, 65504.0], dtype=torch.float16)
    d["bfloat"] = torch.tensor([1.5, -2.25, 3e38, 1e-40], dtype=torch.bfloat16)
    d["double"] = torch.tensor([[0.1, -1e30]], dtype=torch.float64)
    d["bn.num_batches_tracked"] = torch.tensor(123456789, dtype=torch.int64)
    d["int32"] = torch.tensor([-5, 7], dtype=torch.int32)
    d["int16"] = torch.tensor([-300], dtype=torch.int16)
    d["int8"] = torch.tensor([-5], dtype=torch.int8)
    d["uint8"] = torch.tensor([0, 255], dtype=torch.uint8)
    d["bool"] = torch.tensor([True, False])
    d["empty"] = torch.zeros(0, 3)
    d["parameter"] = torch.nn.Parameter(torch.tensor([[[2.0]]]))
    d["größe.weight"] = torch.tensor([4.0])
    return d


def describe(d):
    return {k: {"shape": list(v.shape), "values": v.detach().to(torch.float32).flatten().tolist()} for k, v in d.items()}


def save_safetensors(d, path, metadata=None):
    names = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64",
             torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8",
             torch.bool: "BOOL"}
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for k, v in d.items():
        v = v.detach().contiguous()
        raw = (v.view(torch.int16) if v.dtype == torch.bfloat16 else v).numpy().tobytes()
        header[k] = {"dtype": names[v.dtype], "shape": list(v.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


class Part:
    """Stands for elements 2 to 5 of a storage of 8: a view, as PyTorch before 0.4 wrote them."""


class OnPart:
    def __reduce__(self):
        return torch._utils._rebuild_tensor_v2, (Part(), 1, (2,), (2,), False, collections.OrderedDict())


class ViewPickler(pickle.Pickler):
    def persistent_id(self, obj):
        return ("storage", torch.FloatStorage, "7", "cpu", 8, ("70", 2, 4)) if isinstance(obj, Part) else None


def legacy_view(path):
    with open(path, "wb") as f:
        pickle.dump(0x1950A86A20F9469CFC6C, f, 2)
        pickle.dump(1001, f, 2)
        pickle.dump({"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}, f, 2)
        ViewPickler(f, 2).dump({"part": OnPart()})
        pickle.dump(["7"], f, 2)
        f.write(struct.pack("<q8f", 8, *range(8)))
    assert torch.load(path)["part"].tolist() == [3, 5]


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/subrank-pickle-ran",)


def compress(source, target):
    with zipfile.ZipFile(source) as a, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as b:
        for name in a.namelist():
            b.writestr(name, a.read(name))


def data_descriptors(source, target):
    """The same archive as a streaming zip writer makes it: sizes after the data, not before it."""
    class Pipe(io.RawIOBase):
        def __init__(self):
            self.data = b""

        def writable(self):
            return True

        def write(self, b):
            self.data += bytes(b)
            return len(b)

    pipe = Pipe()
    with zipfile.ZipFile(source) as a, zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as b:
        for name in a.namelist():
            with b.open(zipfile.ZipInfo(name), "w", force_zip64=True) as f:
                f.write(a.read(name))
    target.write_bytes(pipe.data)


def main():
    HERE.mkdir(exist_ok=True)
    torch.manual_seed(0)
    d = tensors()
    (HERE / "expected.json").write_text(json.dumps(describe(d), indent=1, ensure_ascii=False) + "\n")
    torch.save(d, HERE / "zip.pth")
    torch.save(d, HERE / "zip_protocol4.pth", pickle_protocol=4)
    torch.save(d, HERE / "legacy.pth", _use_new_zipfile_serialization=False)
    save_safetensors(d, HERE / "all.safetensors", {"format": "pt"})

    small = collections.OrderedDict((f"module.{k}", d[k]) for k in ("conv.weight", "half"))
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [1, 2])
    wrapped = {"epoch": 3, "best_prec1": torch.tensor(91.7), "optimizer": optimizer.state_dict(),
               "schedule": schedule.state_dict(), "args": argparse.Namespace(lr=0.1, names=["a"]),
               "numbers": [1, -2, 2**40, 2**90, 0.5, None, {1, 2}, (1, 2, 3, 4), b"x", 300, "é"], "state_dict": small}
    torch.save(wrapped, HERE / "wrapped.pth")
    torch.save(wrapped, HERE / "wrapped_legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({"model": {"state_dict": small}}, HERE / "nested.pth")

    legacy_view(HERE / "legacy_view.pth")

    torch.save({"state_dict": small, "x": Evil()}, HERE / "evil.pth")
    torch.save({"state_dict": small, "x": Evil()}, HERE / "evil_legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(torch.nn.Linear(1, 1), HERE / "whole_model.pth")
    torch.save({"epoch": 1, "losses": [0.5]}, HERE / "no_state_dict.pth")
    torch.save({"z": torch.tensor([1j])}, HERE / "complex.pth")
    torch.save({"weight": torch.tensor([1.0, float("nan")])}, HERE / "nan.pth")
    torch.save({"weight": torch.zeros(1).expand(1000)}, HERE / "expanded.pth")
    compress(HERE / "nested.pth", HERE / "compressed.pth")
    data_descriptors(HERE / "nested.pth", HERE / "descriptors.pth")
    (HERE / "plain_pickle.pth").write_bytes(pickle.dumps({"a": 1}))


if __name__ == "__main__":
    main()
