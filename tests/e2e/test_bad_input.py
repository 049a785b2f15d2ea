"""Bad input of every kind: each gets the right status and stable type, an error that names the place, and leaves nothing
behind; no process dies and a good request works after it. `site` is one coordinator for all tests of this file, so that
they also stand on each other's ruins."""
import gzip
import hashlib
import io
import json
import os
import pickle
import random
import struct
import tarfile
import zipfile

import pytest

from attack import CODE, DEMO, Harmless, Site, idx, refused, safetensors
from cluster import ApiError, Cluster

BAD_FILE = ("corrupt", "unsupported", "invalid", "too-large")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    one = Cluster(tmp_path_factory.mktemp("bad"))
    one.start()
    try:
        made = Site(one.server)
        yield made
        made.intact()
        assert one.server.process.stop() == 0, one.server.process.text()[-3000:]  # a leak would show here under LSan
    finally:
        one.close()


@pytest.fixture(autouse=True)
def harmless(site):
    with Harmless(site):
        yield


# ---- checkpoints

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


# ---- data sets

def data(site, splits, format="idx", **more):
    return site.server.api("POST", "/datasets", {"name": "bad", "format": format, "splits": splits, **more})


def pair(site, images, labels):
    return {"val": [{"blob": site.server.upload(images), "labels": site.server.upload(labels)}]}


GOOD_IMAGES, GOOD_LABELS = idx((4, 6, 6), bytes(range(144))), idx((4,), bytes((0, 1, 2, 1)))


@pytest.mark.parametrize("name, images, labels", [
    ("counts differ", GOOD_IMAGES, idx((3,), b"\0\1\2")),
    ("zero images", idx((0, 6, 6), b""), idx((0,), b"")),
    ("no pixels", idx((4, 0, 6), b""), GOOD_LABELS),
    ("short", GOOD_IMAGES[:-1], GOOD_LABELS),
    ("long", GOOD_IMAGES + b"x", GOOD_LABELS),
    ("short labels", GOOD_IMAGES, GOOD_LABELS[:-1]),
    ("empty", b"", GOOD_LABELS),
    ("header only", GOOD_IMAGES[:10], GOOD_LABELS),
    ("wrong kind", idx((4, 6, 6), bytes(144 * 4), 13), GOOD_LABELS),
    ("labels as images", GOOD_LABELS, GOOD_LABELS),
    ("images as labels", GOOD_IMAGES, GOOD_IMAGES),
    ("huge", idx((0xffffffff, 0xffffffff, 0xffffffff), b""), GOOD_LABELS),
    ("huge count", idx((0xffffffff, 6, 6), bytes(144)), idx((0xffffffff,), b"")),
    ("gzip cut", gzip.compress(GOOD_IMAGES)[:-5], GOOD_LABELS),
    ("gzip damaged", gzip.compress(GOOD_IMAGES)[:12] + b"\xff\xff" + gzip.compress(GOOD_IMAGES)[14:], GOOD_LABELS),
    ("gzip bomb", gzip.compress(idx((4, 6, 6), bytes(1 << 26))), GOOD_LABELS),
    ("no idx at all", b"GIF89a" + bytes(100), GOOD_LABELS)])
def test_bad_idx(site, name, images, labels):
    error = refused(lambda: data(site, pair(site, images, labels)), 422, BAD_FILE)
    assert error.where.startswith("/splits/val"), error


def test_a_label_outside_the_classes(site):
    error = refused(lambda: data(site, pair(site, GOOD_IMAGES, GOOD_LABELS), classes=["a", "b"]), 422, "invalid")
    assert error.where.startswith("/splits/val/0") and "2" in error.problem["detail"], error
    record = bytes([200]) + bytes(3072)
    refused(lambda: data(site, {"val": [{"blob": site.server.upload(record)}]}, "cifar", classes=list("abcdefghij")), 422, BAD_FILE, where="/splits/val/0")


@pytest.mark.parametrize("body", [b"", bytes(3072), bytes(3074), bytes(10)], ids=["empty", "a byte short", "a byte long", "ten"])
def test_bad_cifar(site, body):
    error = refused(lambda: data(site, {"val": [{"blob": site.server.upload(body)}]}, "cifar"), 422, BAD_FILE)
    assert error.where.startswith("/splits/val/0"), error


@pytest.mark.parametrize("name, tensors", [
    ("no labels", {"images": ("U8", (2, 1, 3, 3), bytes(18))}),
    ("no images", {"labels": ("I64", (2,), bytes(16))}),
    ("counts differ", {"images": ("U8", (2, 1, 3, 3), bytes(18)), "labels": ("I64", (3,), bytes(24))}),
    ("zero images", {"images": ("U8", (0, 1, 3, 3), b""), "labels": ("I64", (0,), b"")}),
    ("three dimensions", {"images": ("U8", (2, 3, 3), bytes(18)), "labels": ("I64", (2,), bytes(16))}),
    ("negative label", {"images": ("U8", (2, 1, 3, 3), bytes(18)), "labels": ("I64", (2,), struct.pack("<qq", 0, -1))}),
    ("label of 2^40", {"images": ("U8", (2, 1, 3, 3), bytes(18)), "labels": ("I64", (2,), struct.pack("<qq", 0, 1 << 40))}),
    ("NaN pixel", {"images": ("F32", (1, 1, 1, 1), struct.pack("<f", float("nan"))), "labels": ("I64", (1,), bytes(8))}),
    ("float labels", {"images": ("U8", (2, 1, 3, 3), bytes(18)), "labels": ("F32", (2,), bytes(8))})])
def test_bad_safetensors_images(site, name, tensors):
    error = refused(lambda: data(site, {"val": [{"blob": site.server.upload(safetensors(tensors))}]}, "safetensors"), 422, BAD_FILE)
    assert error.where.startswith("/splits/val"), error


def tarred(entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for name, body, kind in entries:
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(body)
            if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                info.linkname, info.size, body = body.decode(), 0, b""
            t.addfile(info, io.BytesIO(body))
    return out.getvalue()


def png(w=4, h=4, rows=None):
    import zlib

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    pixels = zlib.compress(b"".join(b"\0" + bytes(3 * w) for _ in range(h))) if rows is None else rows
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


FILE = tarfile.REGTYPE


@pytest.mark.parametrize("name, archive", [
    ("no archive", b"not a tar at all" * 100),
    ("empty", b""),
    ("no pictures", tarred([("cat/readme.txt", b"hello", FILE)])),
    ("picture without a folder", tarred([("a.png", png(), FILE)])),
    ("no picture inside", tarred([("cat/a.png", b"hello", FILE)])),
    ("cut picture", tarred([("cat/a.png", png()[:-30], FILE)])),
    ("picture of 2^31 pixels a side", tarred([("cat/a.png", png(1 << 30, 1 << 30, b"x"), FILE)])),
    ("picture that claims to be large", tarred([("cat/a.png", png(60000, 60000, b"x"), FILE)])),
    ("pictures of two sizes", tarred([("cat/a.png", png(4, 4), FILE), ("dog/b.png", png(5, 5), FILE)])),
    ("out of the folder", tarred([("../../etc/cat/a.png", png(), FILE)])),
    ("a link", tarred([("cat/a.png", b"/etc/passwd", tarfile.SYMTYPE)])),
    ("cut", tarred([("cat/a.png", png(), FILE)])[:700])])
def test_bad_tar(site, name, archive):
    error = refused(lambda: data(site, {"val": [{"blob": site.server.upload(archive)}]}, "tar"), 422, BAD_FILE)
    assert error.where.startswith("/splits/val/0"), error


def test_data_set_documents_that_lie(site):
    ok = pair(site, GOOD_IMAGES, GOOD_LABELS)
    for where, more in (("/mean", {"mean": [0.1, 0.2]}), ("/std", {"std": [0]}), ("/scale", {"scale": 0}),
                        ("/transform/0", {"transform": [{"op": "explode"}]}),
                        ("/transform/0", {"transform": [{"op": "resize", "size": 1000000}]}),
                        ("/splits/val/0", {"transform": [{"op": "center_crop", "size": 600}]}),
                        ("/transform/0", {"transform": [{"op": "pad", "size": -1}]}),
                        ("/transform", {"transform": [{"op": "pad", "size": 1}] * 17}),
                        ("/classes", {"classes": ["a", "a", "b"]}), ("/channel_order", {"channel_order": "grb"})):
        refused(lambda: data(site, ok, **more), 422, BAD_FILE, where=where)
    refused(lambda: data(site, {}), 422, "invalid", where="/splits")
    refused(lambda: data(site, {"val": []}), 422, "invalid", where="/splits/val")
    refused(lambda: data(site, {"val": [{"blob": "0" * 64, "labels": "0" * 64}]}), 422, where="/splits/val/0")
    refused(lambda: data(site, {"val": [{"blob": ok["val"][0]["blob"]}]}), 422, where="/splits/val/0")
    refused(lambda: data(site, {"val": [{**ok["val"][0], "x": 1}]}), 422, "invalid", where="/splits/val/0")


# ---- space documents

def space(site, **change):
    return site.server.api("POST", "/spaces", {"name": "bad", "document": {**site.document, **change}})


def test_unknown_names_are_named_with_a_suggestion(site):
    doc = json.loads(json.dumps(site.document).replace('"in * expand"', '"in * exapnd"'))
    error = refused(lambda: space(site, **doc), 422, "invalid", says='did you mean "expand"')
    assert error.where.startswith("/document/modules/mbconv/body/0/sum/0"), error
    doc = json.loads(json.dumps(site.document).replace('"dwconv"', '"dwcnov"'))
    refused(lambda: space(site, **doc), 422, "invalid", says="dwconv")
    refused(lambda: space(site, netwrok=[]), 422, "invalid", where="/document", says="network")


def loops(depth, to):
    body = [{"conv": {"out": 8}}]
    for i in range(depth):
        body = [{"for": f"i{i}", "to": to, "body": body}]
    return body


def modules(depth):
    """Each module uses the next one twice: 2^depth layers from a short document."""
    made = {f"m{i}": {"args": [], "body": [{f"m{i + 1}": {}}, {f"m{i + 1}": {}}]} for i in range(depth)}
    made[f"m{depth}"] = {"args": [], "body": ["relu"]}
    return made


def deep(n):
    node = "relu"
    for _ in range(n):
        node = {"seq": [node]}
    return [node]


@pytest.mark.parametrize("name, change", [
    ("exponential loops", {"network": loops(8, 100)}),
    ("a loop of 10^9", {"network": loops(1, 10 ** 9)}),
    ("a loop of 10^18", {"network": loops(1, 10 ** 18)}),
    ("a negative loop", {"network": loops(1, -1)}),
    ("modules that double", {"modules": modules(40), "network": [{"m0": {}}]}),
    ("a module that uses itself", {"modules": {"a": {"args": [], "body": [{"a": {}}]}}, "network": [{"a": {}}]}),
    ("deep sequences", {"network": deep(40)}),
    ("deep expression", {"network": [{"conv": {"out": "(" * 2000 + "8" + ")" * 2000}}]}),
    ("long expression", {"network": [{"conv": {"out": "+".join(["8"] * 50000)}}]}),
    ("expression that overflows", {"network": [{"conv": {"out": "9000000000 * 9000000000"}}]}),
    ("division by zero", {"network": [{"conv": {"out": "8 // (1 - 1)"}}]}),
    ("huge count", {"decisions": {"layer": {"count": 10 ** 12, "of": ["identity", "mb3_k3", "mb6_k5"]}}}),
    ("no options", {"decisions": {"layer": {"count": 6, "of": []}}}),
    ("huge channels", {"network": [{"conv": {"out": 1 << 40}}]}),
    ("zero channels", {"network": [{"conv": {"out": 0}}]}),
    ("negative kernel", {"network": [{"conv": {"out": 8, "kernel": -3}}]}),
    ("huge kernel", {"network": [{"conv": {"out": 8, "kernel": 1 << 30}}]}),
    ("zero stride", {"network": [{"conv": {"out": 8, "stride": 0}}]}),
    ("huge input", {"input": [1 << 30, 1 << 30, 1 << 30]}),
    ("no input", {"input": []}),
    ("empty network", {"network": []}),
    ("another version", {"space": 99}),
    ("wrong type", {"network": "relu"}),
    ("null", {"network": None})])
def test_bad_spaces(site, name, change):
    error = refused(lambda: space(site, **change), None, (*BAD_FILE, "bad-request"))
    assert error.where.startswith(("/document", "byte")) and error.status in (400, 413, 422), error


def test_a_document_of_many_nodes_is_refused_before_the_client_gives_up(site):
    refused(lambda: space(site, network=[{"name": f"n{i}", "seq": ["relu"]} for i in range(100000)]), where="/document")


# ---- JSON

@pytest.mark.parametrize("name, raw, status, types, where", [
    ("duplicate key", b'{"role":"read","role":"admin","name":"x"}', 400, "bad-request", "line 1"),
    ("unknown field", b'{"role":"read","name":"x","nmae":"y"}', 422, "invalid", "/nmae"),
    ("wrong type", b'{"role":"read","name":["x"]}', 422, "invalid", "/name"),
    ("null", b'{"role":"read","name":null}', 422, "invalid", "/name"),
    ("missing", b'{"role":"read"}', 422, "invalid", "/name"),
    ("not in the list", b'{"role":"root","name":"x"}', 422, "invalid", "/role"),
    ("too long", b'{"role":"read","name":"' + b"x" * 201 + b'"}', 422, "invalid", "/name"),
    ("empty string", b'{"role":"read","name":""}', 422, "invalid", "/name"),
    ("over-long body", b'{"role":"read","name":"' + b"x" * 70000 + b'"}', 413, "too-large", "body"),
    ("not UTF-8", b'{"role":"read","name":"\xff\xfe"}', 400, "bad-request", "line 1"),
    ("surrogate", b'{"role":"read","name":"\\ud800"}', 400, "bad-request", "line 1"),
    ("NUL", b'{"role":"read","name":"a\\u0000b"}', 400, "bad-request", "line 1"),
    ("raw NUL", b'{"role":"read","name":"a\0b"}', 400, "bad-request", "line 1"),
    ("deep", b'{"a":' + b"[" * 30000 + b"]" * 30000 + b"}", 400, "bad-request", "byte"),
    ("deep and open", b"[" * 60000, 400, "bad-request", "byte"),
    ("a bare word", b"nonsense", 400, "bad-request", "line 1"),
    ("two documents", b'{"role":"read","name":"x"}{}', 400, "bad-request", "line 1"),
    ("an array", b"[]", 422, "invalid", ""),
    ("a string", b'"x"', (400, 422), ("bad-request", "invalid"), ""),
    ("NaN", b'{"role":"read","name":NaN}', 400, "bad-request", "line 1"),
    ("huge number", b'{"role":"read","name":1e999}', 400, "bad-request", "line 1"),
    ("huge integer", b'{"role":"read","name":99999999999999999999}', 400, "bad-request", "line 1"),
    ("empty", b"", 400, "bad-request", "body"),
    ("byte order mark", b'\xef\xbb\xbf{"role":"read","name":"x"}', 400, "bad-request", "line 1"),
    ("cut", b'{"role":"read","name":"x', 400, "bad-request", "line 1")])
def test_bad_json(site, name, raw, status, types, where):
    answer = site.server.request("POST", "/tokens", data=raw, headers={"Content-Type": "application/json"})
    problem = answer.json()
    assert answer.status_code in (status if isinstance(status, tuple) else (status,)), problem
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["type"] in (types if isinstance(types, tuple) else (types,)), problem
    assert where in problem.get("where", ""), problem


@pytest.mark.parametrize("name, value", [("tags", ["x" * 101]), ("tags", ["x"] * 101), ("notes", "x" * 20001), ("priority", 0),
                                         ("priority", 101), ("priority", 1.5), ("priority", True), ("seed", -1), ("seed", 2 ** 70)])
def test_fields_of_a_search_out_of_range(site, name, value):
    refused(lambda: site.server.api("POST", "/searches", site.search_body(**{name: value})), None, ("invalid", "bad-request"))


# ---- searches

def search(site, **more):
    return site.server.api("POST", "/searches", site.search_body(**more))


POLICY = {"average": "cumulative", "batches": 1, "batch_size": 16, "split": "train"}


@pytest.mark.parametrize("name, change, where", [
    ("impossible constraint", {"constraints": {"macs": {"max": 1}}}, "/constraints"),
    ("constraint that contradicts itself", {"constraints": {"macs": {"min": 10, "max": 5}}}, "/constraints"),
    ("parameters out of reach", {"constraints": {"params": {"min": 10 ** 15}}}, "/constraints"),
    ("policy needs more images than there are", {"policy": {**POLICY, "batches": 100000}}, "/policy"),
    ("policy on an unknown split", {"policy": {**POLICY, "split": "tarin"}}, "/policy"),
    ("policy of an unknown kind", {"policy": {**POLICY, "average": "median"}}, "/policy/average"),
    ("policy with an unknown field", {"policy": {**POLICY, "bathces": 3}}, "/policy/bathces"),
    ("policy without batches", {"policy": {**POLICY, "batches": 0}}, "/policy/batches"),
    ("policy with negative momentum", {"policy": {**POLICY, "average": "ema", "momentum": -1}}, "/policy/momentum"),
    ("evaluation on an unknown split", {"evaluation": {"split": "test", "images": 10}}, "/evaluation/split"),
    ("evaluation of more images than there are", {"evaluation": {"split": "val", "images": 10 ** 6}}, "/evaluation"),
    ("evaluation past the end", {"evaluation": {"split": "val", "images": 100, "first": 10 ** 6}}, "/evaluation"),
    ("evaluation of no image", {"evaluation": {"split": "val", "images": 0}}, "/evaluation/images"),
    ("code outside the space", {"strategy": {"name": "list", "codes": ["012013"]}}, "/strategy/codes/0"),
    ("code too short", {"strategy": {"name": "list", "codes": [CODE, "01"]}}, "/strategy/codes/1"),
    ("code that is no text", {"strategy": {"name": "list", "codes": [7]}}, "/strategy/codes/0"),
    ("no codes", {"strategy": {"name": "list", "codes": []}}, "/strategy/codes"),
    ("strategy unknown", {"strategy": {"name": "oracle"}}, "/strategy/name"),
    ("strategy with an unknown field", {"strategy": {"name": "random", "count": 3, "cuont": 4}}, "/strategy/cuont"),
    ("random of none", {"strategy": {"name": "random", "count": 0}}, "/strategy/count"),
    ("random of far too many", {"strategy": {"name": "random", "count": 10 ** 12}}, "/strategy/count"),
    ("population of zero", {"strategy": {"name": "evolution", "population": 0}}, "/strategy/population"),
    ("population of 10^9", {"strategy": {"name": "evolution", "population": 10 ** 9}}, "/strategy/population"),
    ("probability of two", {"strategy": {"name": "evolution", "mutation_probability": 2}}, "/strategy/mutation_probability"),
    ("unknown checkpoint", {"checkpoint": 9999}, "/checkpoint"),
    ("unknown data set", {"dataset": 9999}, "/dataset")])
def test_bad_searches(site, name, change, where):
    error = refused(lambda: search(site, **change), 422)
    assert error.where.startswith(where), error


@pytest.mark.parametrize("images, labels, says", [
    (idx((3, 28, 28), bytes(3 * 784)), idx((3,), bytes((0, 1, 10))), "10 outputs"),
    (idx((2, 3, 28, 28), bytes(6 * 784)), idx((2,), bytes((0, 1))), "3 x 28 x 28")], ids=["a label without an output", "three channels"])
def test_data_that_do_not_fit_the_space(site, images, labels, says):
    made = data(site, pair(site, images, labels))["id"]
    try:
        body = {"dataset": made, "policy": {"average": "batch"}, "evaluation": {"split": "val", "images": 2}}
        refused(lambda: search(site, **body), 422, "invalid", where="/dataset", says=says)
    finally:
        site.server.api("DELETE", f"/datasets/{made}")


def test_plans_of_codes_outside_the_space(site):
    for code in ("", "0", "012013", "0120120", "x" * 60000, "012\n12", "%00"):
        error = refused(lambda: site.server.api("POST", f"/spaces/{site.space}/plan", {"code": code}), 422, "invalid")
        assert error.where, error


def test_truth_that_lies(site):
    made = search(site)
    try:
        path = f"/searches/{made['id']}/truth"
        put = lambda body, kind: site.server.request("PUT", path, data=body, headers={"Content-Type": kind})
        for body, kind in ((b"code,accuracy\n012012,abc\n", "text/csv"), (b"\xff\xfe\0", "text/csv"), (b"012012\n", "text/csv"),
                           (b'{"accuracies":{"012012":"high"}}', "application/json"), (b'{"accuracies":[]}', "application/json"),
                           (b"012012,nan\n", "text/csv"), (b"012012,1e999\n", "text/csv"), (b"", "text/csv"), (b"012012," + b"1" * 4089, "text/csv"), (b"a\0b,1\n", "text/csv"),
                           (b"012012,1\n012012,2\n", "text/csv")):
            answer = put(body, kind)
            assert answer.status_code in (400, 422), (body, answer.status_code, answer.text)
            assert answer.json()["detail"]
        assert site.server.api("GET", f"/searches/{made['id']}/correlation")["n"] == 0
    finally:
        site.server.api("DELETE", f"/searches/{made['id']}")


QUERIES = ["limit=0", "limit=1001", "limit=x", "limit=-1", "limit=1&limit=2", "limit=99999999999999999999", "after=%ff%00", "after=nonsense",
           "after=" + "x" * 513, "nope=1", "sort=colour", "order=up", "offset=-1", "macs_min=abc", "macs_min=nan", "macs_min=inf",
           "status=lost", "limit", "limit=", "=1", "%6cimit=0",]


@pytest.mark.parametrize("query", QUERIES)
def test_bad_queries(site, query):
    made = search(site)
    try:
        answer = site.server.request("GET", f"/searches/{made['id']}/ranking?{query}")
        assert answer.status_code in (400, 422), (answer.status_code, answer.text)
        assert answer.json()["where"], answer.text
    finally:
        site.server.api("DELETE", f"/searches/{made['id']}")


@pytest.mark.parametrize("id", ["0", "-1", "x", "1e3", "99999999999999999999", "9223372036854775807", "1%2f2", "%", "%00", "+1", "01x"])
def test_bad_ids(site, id):
    for name in ("spaces", "checkpoints", "datasets", "searches", "workers"):
        answer = site.server.request("GET", f"/{name}/{id}")
        assert answer.status_code in (400, 404, 422), (name, answer.status_code, answer.text)
        assert answer.json()["type"] in ("bad-request", "not-found", "invalid")
