"""Data sets that lie about their sizes, labels, compression or members: each is refused at upload, at the place, in bounded
memory, and leaves nothing behind."""
import gzip
import io
import struct
import tarfile

import pytest

from attack import BAD_FILE, data, harmless, idx, pair, refused, safetensors, site


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
