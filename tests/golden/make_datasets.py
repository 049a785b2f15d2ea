"""Writes the small data sets that the unit tests read, and what Pillow makes of their pictures (pictures.json).

/usr/bin/python3 tests/golden/make_datasets.py; the outputs are committed.
"""
import gzip
import io
import json
import pathlib
import struct
import tarfile

import numpy as np
from PIL import Image
from torchvision import transforms

HERE = pathlib.Path(__file__).parent / "files"


def planar(im):
    return np.asarray(im.convert("RGB")).transpose(2, 0, 1).flatten().tolist()


def encode(im, **options):
    f = io.BytesIO()
    im.save(f, **options)
    return f.getvalue()


def picture(h, w, seed):
    y, x = np.mgrid[0:h, 0:w]
    rgb = np.stack([y * 255 // h, x * 255 // w, (x * y * 7 + seed * 31) % 256], -1).astype(np.uint8)
    return Image.fromarray(rgb)


def safetensors(path, images, labels):
    names = {"uint8": "U8", "float32": "F32", "int64": "I64", "int32": "I32"}
    header, data = {}, b""
    for k, v in (("images", images), ("labels", labels)):
        raw = v.tobytes()
        header[k] = {"dtype": names[str(v.dtype)], "shape": list(v.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def main():
    big, small = picture(23, 31, 1), picture(9, 12, 2)
    files = {
        "rgb.jpg": encode(big, format="JPEG", quality=80),
        "progressive.jpg": encode(big, format="JPEG", quality=60, progressive=True),
        "grey.jpg": encode(small.convert("L"), format="JPEG"),
        "rgb.png": encode(small, format="PNG"),
        "alpha.png": encode(small.convert("RGBA"), format="PNG"),
        "palette.png": encode(small.quantize(8), format="PNG"),
        "one_bit.png": encode(small.convert("1"), format="PNG"),
    }
    expected = {}
    for name, data in files.items():
        im = Image.open(io.BytesIO(data))
        expected[name] = {"h": im.height, "w": im.width, "pixels": planar(im)}
        (HERE / name).write_bytes(data)
    im = Image.open(io.BytesIO(files["rgb.jpg"])).convert("RGB")
    out = transforms.Compose([transforms.Resize(14), transforms.CenterCrop(11), transforms.Pad(1)])(im)
    expected["small"] = {"h": out.height, "w": out.width, "pixels": planar(out)}
    out = transforms.Resize(37)(im)
    expected["large"] = {"h": out.height, "w": out.width, "pixels": planar(out)}
    (HERE / "pictures.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")

    n = 5
    pixels = (np.arange(n * 4 * 3) * 7 % 256).astype(np.uint8)
    labels = np.array([2, 0, 1, 2, 1], np.uint8)
    images = struct.pack(">IIII", 0x803, n, 4, 3) + pixels.tobytes()
    label_file = struct.pack(">II", 0x801, n) + labels.tobytes()
    (HERE / "images.idx").write_bytes(images)
    (HERE / "labels.idx").write_bytes(label_file)
    (HERE / "images.idx.gz").write_bytes(gzip.compress(images, mtime=0))
    (HERE / "labels.idx.gz").write_bytes(gzip.compress(label_file, mtime=0))
    cifar = b"".join(bytes([i]) + bytes((i * 50 + k // 1024) % 256 for k in range(3072)) for i in range(3))
    (HERE / "three.cifar").write_bytes(cifar)
    safetensors(HERE / "u8.safetensors", (np.arange(2 * 3 * 4).reshape(2, 3, 2, 2) * 10).astype(np.uint8), np.array([1, 0]))
    floats = np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2) / 4
    safetensors(HERE / "f32.safetensors", floats, np.array([1, 0], np.int32))
    floats[1, 0, 1, 0] = np.nan
    safetensors(HERE / "nan.safetensors", floats, np.array([1, 0], np.int32))
    for name, mode in (("folders.tar", "w"), ("folders.tar.xz", "w:xz")):
        with tarfile.open(HERE / name, mode) as t:
            def add(path, data):
                info = tarfile.TarInfo(path)
                info.size = len(data)
                t.addfile(info, io.BytesIO(data))
            add("./set/README.md", b"not a picture")
            add("set/train/zebra/b.jpg", files["rgb.jpg"])
            add("set/train/zebra/a.png", files["rgb.png"])
            add("set/train/zebra/._a.png", b"hidden")
            add("./set/train/ant/c.PNG", files["palette.png"])
            add("set/val/bee/d.png", files["rgb.png"])


if __name__ == "__main__":
    main()
