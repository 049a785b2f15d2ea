"""Checkpoints cut, damaged, hostile or made for another space: each gets the right status and stable type, an error that
names the place, and leaves nothing behind; nothing in a file is ever executed."""
import hashlib
import io
import os
import pickle
import random
import struct
import zipfile

import pytest

from attack import BAD_FILE, DEMO, harmless, refused, safetensors, site
from cluster import ApiError


def bind(site, data, **more):
    return site.server.api("POST", "/checkpoints", {"name": "bad", "blob": site.server.upload(data), "space": site.space, **more})


@pytest.fixture(scope="module")
def weights():
    torch = pytest.importorskip("torch")
    state = torch.load(DEMO / "supernet.pth", map_location="cpu")
    return {k: v.clone() for k, v in state.items()}


def saved(state, legacy=False):
    import torch
    out = io.BytesIO()
    torch.save(state, out, _use_new_zipfile_serialization=not legacy)
    return out.getvalue()


def as_safetensors(state):
    kinds = {"torch.float32": "F32", "torch.int64": "I64"}
    return safetensors({k: (kinds[str(v.dtype)], v.shape, v.contiguous().numpy().tobytes()) for k, v in state.items()})


FORMATS = {"zip": lambda s: saved(s), "legacy": lambda s: saved(s, legacy=True), "safetensors": as_safetensors}


@pytest.mark.parametrize("form", FORMATS)
def test_truncated_checkpoints(site, weights, form):
    whole = FORMATS[form](weights)
    for keep in sorted({0, 1, 4, 7, 8, 9, 64, 1000, len(whole) // 3, len(whole) // 2, len(whole) - 4097, len(whole) - 100, len(whole) - 1}):
        error = refused(lambda: bind(site, whole[:keep]), 422, BAD_FILE)
        assert error.where.startswith("/blob"), (keep, error)


@pytest.mark.parametrize("form", FORMATS)
def test_corrupted_checkpoints(site, weights, form):
    """Bytes of the directory are flipped: some change nothing that matters, none may do harm."""
    whole = FORMATS[form](weights)
    rng = random.Random(form)
    heads = {"zip": [(0, 8000), (len(whole) - 8000, len(whole))], "legacy": [(0, 12000)], "safetensors": [(0, 4000)]}[form]
    outcomes = set()
    for _ in range(60):
        bad = bytearray(whole)
        for _ in range(rng.choice((1, 1, 4))):
            lo, hi = rng.choice(heads)
            bad[rng.randrange(max(lo, 0), hi)] = rng.randrange(256)
        try:
            made = bind(site, bytes(bad))
            outcomes.add("taken")
            site.server.api("DELETE", f"/checkpoints/{made['id']}")
        except ApiError as error:
            assert error.status == 422 and error.type in BAD_FILE and error.where, error
            outcomes.add(error.type)
    assert "corrupt" in outcomes


def test_a_flipped_weight_in_the_zip_form_is_found_by_its_checksum(site, weights):
    whole = bytearray(saved(weights))
    whole[len(whole) // 2] ^= 0x10
    refused(lambda: bind(site, bytes(whole)), 422, "corrupt", where="/blob")


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def zipped(members, method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        for name, data in members.items():
            z.writestr(name, data)
    return out.getvalue()


def pkl(program):
    return zipped({"archive/data.pkl": program, "archive/version": b"3\n", "archive/data/0": b"\0" * 64})


def tensor_pickle(storage_numel, offset, size, stride):
    """A state dict {"w": tensor} by hand, so that its numbers can lie."""
    def number(n):
        return b"\x8a\x08" + struct.pack("<q", n)

    def numbers(t):
        return b"(" + b"".join(number(n) for n in t) + b"t"
    return (b"\x80\x02}(X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n"
            b"X\x01\0\0\x000X\x03\0\0\0cpu" + number(storage_numel) + b"tQ" + number(offset) + numbers(size) +
            numbers(stride) + b"\x89ccollections\nOrderedDict\n)RtRu.")


HUGE = 1 << 62
HOSTILE = {
    "os.system": lambda p: pkl(pickle.dumps({"w": Evil(p)}, protocol=2)),
    "os.system, old form": lambda p: pickle.dumps(0x1950a86a20f9469cfc6c, 2) + pickle.dumps(1001, 2) + pickle.dumps(
        {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}, 2) + pickle.dumps({"w": Evil(p)}, 2),
    "builtins.eval": lambda p: pkl(b"\x80\x02c__builtin__\neval\n(X\x09\0\0\x00open('x')tR."),
    "instance": lambda p: pkl(b"(i os\nsystem\n."),
    "no stop": lambda p: pkl(b"\x80\x02}"),
    "empty pickle": lambda p: pkl(b""),
    "stack underflow": lambda p: pkl(b"\x80\x02uuuuu."),
    "memo out of nothing": lambda p: pkl(b"\x80\x02j\xff\xff\xff\xff."),
    "memo far away": lambda p: pkl(b"\x80\x02}r\xff\xff\xff\x7f."),
    "string longer than the file": lambda p: pkl(b"\x80\x02X\xff\xff\xff\x7fabc."),
    "deep nesting": lambda p: pkl(b"\x80\x02" + b"(" * 200000 + b"t" * 200000 + b"."),
    "a list of itself": lambda p: pkl(b"\x80\x02]q\0h\0a."),
    "a million marks": lambda p: pkl(b"\x80\x02" + b"(" * 1000000 + b"."),
    "doubling tuples": lambda p: pkl(b"\x80\x02)" + b"2\x86" * 500000 + b"."),
    "storage larger than its member": lambda p: pkl(tensor_pickle(HUGE, 0, (4,), (1,))),
    "shape of 2^62": lambda p: pkl(tensor_pickle(16, 0, (HUGE,), (1,))),
    "shape that overflows": lambda p: pkl(tensor_pickle(16, 0, (1 << 32, 1 << 32), (0, 0))),
    "zero strides to a huge tensor": lambda p: pkl(tensor_pickle(16, 0, (1 << 20, 1 << 20), (0, 0))),
    "offset past the end": lambda p: pkl(tensor_pickle(16, 1 << 40, (4,), (1,))),
    "negative offset": lambda p: pkl(tensor_pickle(16, -4, (4,), (1,))),
    "negative stride": lambda p: pkl(tensor_pickle(16, 8, (4,), (-1,))),
    "negative size": lambda p: pkl(tensor_pickle(16, 0, (-4,), (1,))),
    "zip bomb": lambda p: zipped({"archive/data.pkl": b"\0" * 50_000_000}, zipfile.ZIP_DEFLATED),
    "zip without data.pkl": lambda p: zipped({"archive/version": b"3\n"}),
    "zip of another kind": lambda p: zipped({"word/document.xml": b"<x/>"}),
    "TorchScript": lambda p: zipped({"m/data.pkl": b"\x80\x02}.", "m/constants.pkl": b"\x80\x02).", "m/code/__torch__.py": b"x"}),
    "zip twice the same name": lambda p: zipped_twice(),
    "HDF5": lambda p: b"\x89HDF\r\n\x1a\n" + b"\0" * 100,
    "a text file": lambda p: b"hello, I am no checkpoint\n" * 10,
    "header longer than the file": lambda p: struct.pack("<Q", 1 << 40) + b"{}",
    "header length 2^64 - 1": lambda p: b"\xff" * 8 + b"{}",
    "header no JSON": lambda p: safetensors({}, b"{nonsense}"),
    "header twice the same name": lambda p: safetensors({"x": ("F32", (1,), b"\0" * 4)}, b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'),
    "header nested deep": lambda p: safetensors({}, b'{"a":' + b"[" * 100000 + b"]" * 100000 + b"}"),
    "offsets past the end": lambda p: safetensors({}, b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'),
    "offsets backwards": lambda p: safetensors({"x": ("F32", (4,), b"\0" * 16)}, b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}}'),
    "offsets overlap": lambda p: safetensors({"x": ("F32", (4,), b"\0" * 16)}, b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'),
    "negative offsets": lambda p: safetensors({"x": ("F32", (4,), b"\0" * 16)}, b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[-16,0]}}'),
    "shape and bytes differ": lambda p: safetensors({"x": ("F32", (4,), b"\0" * 16)}, b'{"a":{"dtype":"F32","shape":[5],"data_offsets":[0,16]}}'),
    "shape product overflows": lambda p: safetensors({"x": ("F32", (4,), b"\0" * 16)}, b'{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}'),
    "dtype unknown": lambda p: safetensors({"x": ("F8", (4,), b"\0" * 4)}),
    "a hole behind the tensors": lambda p: safetensors({"x": ("F32", (1,), b"\0" * 4)}) + b"junk",
}


def zipped_twice():
    with pytest.warns(UserWarning):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as z:
            for data in (b"\x80\x02}.", b"\x80\x02]."):
                z.writestr("archive/data.pkl", data)
    return out.getvalue()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_checkpoints(site, tmp_path, name):
    trap = tmp_path / "executed"
    error = refused(lambda: bind(site, HOSTILE[name](trap)), None, BAD_FILE)
    assert error.status in (413, 422)
    assert error.where.startswith("/blob"), error
    assert not trap.exists()


def test_a_checkpoint_that_executes_names_what_it_wanted(site, tmp_path):
    refused(lambda: bind(site, HOSTILE["os.system"](tmp_path / "x")), 422, "unsupported", says="system")


@pytest.mark.parametrize("form", FORMATS)
def test_weights_that_are_no_numbers(site, weights, form):
    for bad in (float("nan"), float("inf")):
        state = dict(weights)
        name = next(k for k, v in state.items() if v.dim() == 4)
        state[name] = state[name].clone()
        state[name].view(-1)[-1] = bad
        refused(lambda: bind(site, FORMATS[form](state)), 422, "invalid", where=name)


def test_wrong_shapes_and_missing_tensors_are_listed(site, weights):
    state = dict(weights)
    wrong, gone = "classifier.weight", "stem.0.weight"
    assert wrong in state and gone in state
    state[wrong] = state[wrong][:5].contiguous()
    del state[gone]
    error = refused(lambda: bind(site, saved(state)), 422, "invalid", where="/blob")
    problems = {p["tensor"]: p["problem"] for p in error.problem["problems"]}
    assert set(problems) == {wrong, gone}
    assert "5" in problems[wrong] and "10" in problems[wrong]
    refused(lambda: bind(site, saved({})), 422, BAD_FILE, where="/blob")


def test_rename_tables_that_lie(site):
    data = (DEMO / "supernet.pth").read_bytes()
    refused(lambda: bind(site, data, rename={"no.such.tensor": "stem.0.weight"}), 422, "invalid", where="/rename")
    refused(lambda: bind(site, data, rename={"stem.0.weight": "classifier.weight"}), 422, "invalid", where="classifier.weight")
    refused(lambda: bind(site, data, rename={"stem.0.weight": 7}), 422, "invalid", where="/rename")


def test_a_checkpoint_of_a_blob_that_is_not_there(site):
    refused(lambda: site.server.api("POST", "/checkpoints", {"name": "x", "blob": "0" * 64, "space": site.space}),
            422, where="/blob")
    refused(lambda: site.server.api("POST", "/checkpoints", {"name": "x", "blob": site.blob, "space": 99999}), 422, where="/space")
    half = hashlib.sha256(b"huge").hexdigest()
    begun = site.server.request("PUT", f"/blobs/{half}", data=b"x" * 100, headers={"Content-Range": f"bytes 0-99/{1 << 39}"})
    assert begun.status_code == 202  # a size is a promise; nothing is reserved for it
    refused(lambda: site.server.api("POST", "/checkpoints", {"name": "x", "blob": half, "space": site.space}), 422, where="/blob")


def test_ranges_of_uploads_that_lie(site):
    sha = hashlib.sha256(b"abcdef").hexdigest()
    for text, status in (("bytes 0-5/4", (400, 416, 422)), ("bytes 5-0/6", (400, 416, 422)), ("bytes 0-2/6", (400, 416, 422)),
                         ("bytes 3-8/9", (416,)), ("nonsense", (400, 422)), ("bytes 0-5/*", (400, 416, 422)),
                         ("bytes -1-5/6", (400, 416, 422)), ("bytes 0-99999999999999999999/99999999999999999999", (400, 413, 416, 422)),
                         ("bytes 0-5/9223372036854775807", (400, 413, 416, 422))):
        answer = site.server.request("PUT", f"/blobs/{sha}", data=b"abcdef", headers={"Content-Range": text})
        assert answer.status_code in status, (text, answer.status_code, answer.text)
        assert answer.json()["detail"]
    assert site.server.request("PUT", f"/blobs/{sha}", data=b"abcdef").status_code == 201
    for name in ("A" * 64, "0" * 63, "0" * 65, "g" * 64):
        assert site.server.request("PUT", f"/blobs/{name}", data=b"x").status_code == 422
