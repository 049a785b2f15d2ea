"""A supernet small enough to make in a test: 4 layers of 3 options, 81 architectures, on 8 x 8 pictures."""
import json
import struct

import numpy as np

LAYERS, WIDTH, CLASSES = 4, 8, 4
SPACE = {
    "space": 1, "name": "tiny", "input": [1, 8, 8],
    "decisions": {"layer": {"count": LAYERS, "of": ["identity", "conv1", "conv3"]}},
    "code": "digits",
    "modules": {"unit": {"args": ["kernel"], "body": [{"seq": [{"conv": {"out": WIDTH, "kernel": "kernel"}}, "bn", "relu"]}]}},
    "network": [
        {"name": "stem", "seq": [{"conv": {"out": WIDTH, "kernel": 3}}, "bn", "relu"]},
        {"for": "i", "to": LAYERS, "body": [
            {"name": "features.{i}", "choose": "layer[i]", "of": [{"identity": {}}, {"unit": {"kernel": 1}}, {"unit": {"kernel": 3}}]}]},
        "gap",
        {"name": "classifier", "linear": {"out": CLASSES}},
    ],
}


def space_of(layers):
    return dict(SPACE, name=f"{layers} layers", decisions={"layer": dict(SPACE["decisions"]["layer"], count=layers)},
                network=[dict(part, to=layers) if "for" in part else part for part in SPACE["network"]])


def tensors(seed=1, layers=LAYERS):
    rng = np.random.default_rng(seed)
    made = {}

    def unit(name, inputs, kernel):
        made[f"{name}.0.weight"] = rng.normal(0, (2 / (inputs * kernel * kernel)) ** .5, (WIDTH, inputs, kernel, kernel)).astype("f4")
        for part, value in [("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)]:
            made[f"{name}.1.{part}"] = np.full(WIDTH, value, "f4")

    unit("stem", 1, 3)
    for i in range(layers):
        unit(f"features.{i}.1", WIDTH, 1)
        unit(f"features.{i}.2", WIDTH, 3)
    made["classifier.weight"] = rng.normal(0, .5, (CLASSES, WIDTH)).astype("f4")
    made["classifier.bias"] = np.zeros(CLASSES, "f4")
    return made


def safetensors(arrays):
    names = {"float32": "F32", "uint8": "U8", "int64": "I64"}
    head, body = {}, b""
    for name, array in arrays.items():
        data = np.ascontiguousarray(array).tobytes()
        head[name] = {"dtype": names[str(array.dtype)], "shape": list(array.shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


def checkpoint(seed=1, layers=LAYERS):
    return safetensors(tensors(seed, layers))


def pictures(n=400, seed=2):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, n)
    images = rng.integers(0, 120, (n, 1, 8, 8))
    for image, label in zip(images, labels):  # a bright quarter says the class
        y, x = divmod(int(label), 2)
        image[0, 4 * y:4 * y + 4, 4 * x:4 * x + 4] += 100
    return safetensors({"images": images.astype("u1"), "labels": labels.astype("i8")})


def fill(coordinator, space=SPACE, layers=LAYERS):
    """Space, checkpoint and data set by the API -> the members of a search that name them."""
    made = coordinator.api("POST", "/spaces", {"name": space["name"], "document": space})
    weights = coordinator.api("POST", "/checkpoints", {"name": "tiny supernet", "blob": coordinator.upload(checkpoint(layers=layers)), "space": made["id"]})
    blob = [{"blob": coordinator.upload(pictures())}]
    data = coordinator.api("POST", "/datasets", {"name": "quarters", "format": "safetensors", "splits": {"train": blob, "val": blob},
                                          "classes": ["north-west", "north-east", "south-west", "south-east"]})
    return {"checkpoint": weights["id"], "dataset": data["id"]}


def search(coordinator, parts, **more):
    return coordinator.api("POST", "/searches", {
        "name": "all of tiny", **parts, "strategy": {"name": "exhaustive"},
        "policy": {"average": "cumulative", "batches": 2, "batch_size": 50},
        "evaluation": {"split": "val", "images": 200, "batch_size": 50, "first": 0}, **more})
