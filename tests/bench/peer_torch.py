#!/usr/bin/python3
"""The PyTorch side of `make bench-engine`: one process per case that exports its supernet and then times on demand.

Commands are JSON lines on standard input, answers are JSON lines on standard output:
  {"do": "export", "dir": D, "calib": n, "images": n} -> checkpoint.pth, train/val.safetensors in D; the case's code
  {"do": "time", "what": "calibrate"|"score", "variant": V, "batch": b, "images": n} -> {"s": seconds}
  {"do": "logits", "calib_batches": k, "calib_batch": b, "images": n} -> {"logits": [[...]...]} after cumulative averages
Variants: contiguous, channels_last (eager); frozen, frozen_cl, optimised_cl (traced and frozen; scoring only).
"""
import json
import pathlib
import struct
import sys
import time

import torch

import nets


def write_safetensors(path, tensors):
    kinds = {torch.float32: "F32", torch.int64: "I64", torch.uint8: "U8"}
    header, offset = {}, 0
    for name, t in tensors.items():
        size = t.numel() * t.element_size()
        header[name] = dict(dtype=kinds[t.dtype], shape=list(t.shape), data_offsets=[offset, offset + size])
        offset += size
    text = json.dumps(header).encode()
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for t in tensors.values():
            out.write(t.contiguous().numpy().tobytes())


class Case:
    def __init__(self, name, threads, code):
        torch.set_num_threads(threads)
        if name == "resnet20":
            self.net, self.pixels, self.classes = nets.ResNetCifar(3), 32, 10
            self.code = ""
        else:
            spec = nets.mbconv_spec(name)
            given = [int(c) for c in code] if code else None
            self.net, self.pixels, self.classes = nets.MBConvNet(spec, given), spec["pixels"], spec["classes"]
            self.code = "".join(map(str, self.net.code))
        nets.initialise(self.net)
        self.variants = {}

    def export(self, dir, calib, images):
        out = pathlib.Path(dir)
        out.mkdir(parents=True, exist_ok=True)
        draw = torch.Generator().manual_seed(1)
        self.images = {}
        torch.save(self.net.state_dict(), out / "checkpoint.pth")
        for split, n in (("train", calib), ("val", images)):
            x = torch.randn(n, 3, self.pixels, self.pixels, generator=draw)
            y = torch.randint(self.classes, (n,), generator=draw)
            self.images[split] = x
            write_safetensors(out / f"{split}.safetensors", dict(images=x, labels=y))
        return dict(code=self.code, classes=self.classes)

    def model(self, variant, x):
        """The net in a variant, traced once for the frozen ones."""
        last = variant != "contiguous" and variant != "frozen"
        x = x.contiguous(memory_format=torch.channels_last) if last else x
        if variant not in self.variants:
            net = self.net.to(memory_format=torch.channels_last if last else torch.contiguous_format)
            if variant.startswith(("frozen", "optimised")):
                net = torch.jit.freeze(torch.jit.trace(net.eval(), x))
                if variant == "optimised_cl":
                    net = torch.jit.optimize_for_inference(net)
                for _ in range(3):
                    net(x)
                self.variants[variant] = net
            else:
                return net, x
        return self.variants[variant], x

    def time(self, what, variant, batch, images):
        data = self.images["train" if what == "calibrate" else "val"]
        net, _ = self.model(variant, data[:batch])
        if variant in ("contiguous", "channels_last"):
            net.train(what == "calibrate")
        batches = []
        for i in range(0, images, batch):
            x = data[[j % len(data) for j in range(i, min(i + batch, images))]]
            batches.append(x if variant in ("contiguous", "frozen")
                           else x.contiguous(memory_format=torch.channels_last))
        start = time.perf_counter()
        hits = 0
        for x in batches:
            hits += int(net(x).argmax(1).sum())
        return dict(s=time.perf_counter() - start)

    def logits(self, calib_batches, calib_batch, images):
        norms = [m for m in self.net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        for m in norms:
            m.reset_running_stats()
            m.momentum = None
        net = self.net.to(memory_format=torch.contiguous_format).train()
        for b in range(calib_batches):
            net(self.images["train"][b * calib_batch:(b + 1) * calib_batch])
        return dict(logits=net.eval()(self.images["val"][:images]).tolist())


@torch.no_grad()
def main():
    case = Case(sys.argv[1], int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "")
    for line in sys.stdin:
        request = json.loads(line)
        do = request.pop("do")
        print(json.dumps({"export": case.export, "time": case.time, "logits": case.logits}[do](**request)), flush=True)


if __name__ == "__main__":
    main()
