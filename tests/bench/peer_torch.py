#!/usr/bin/python3
"""The PyTorch side of `make bench-engine`: one process per case that exports its supernet and then times on demand.

usage: peer_torch.py CASE THREADS [MACRO_DIR]     CASE: a name of nets.mbconv_spec, shufflenetv2, resnet20, macro

Commands are JSON lines on standard input, answers are JSON lines on standard output:
  {"do": "export", "dir": D, "calib": n, "images": n} -> checkpoint.pth, train/val.safetensors in D; the case's code
  {"do": "code", "code": "012..."} -> chooses another path of the supernet (mbconv and macro)
  {"do": "time", "what": "calibrate"|"score", "variant": V, "batch": b, "images": n} -> {"s": wall, "cpu": all threads}
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
    def __init__(self, name, threads, macro_dir):
        torch.set_num_threads(threads)
        self.name, self.pixels, self.classes, self.code = name, 32, 10, ""
        if name == "resnet20":
            self.net = nets.initialise(nets.ResNetCifar(3))
        elif name == "macro":
            sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
            self.state = torch.load(pathlib.Path(macro_dir) / "macro.pth", map_location="cpu")
            self.choose("12012021")
        elif name == "shufflenetv2":
            self.net, self.pixels, self.classes = nets.initialise(nets.ShuffleNet()), 224, 1000
            self.code = ",".join(map(str, self.net.code))
        else:
            spec = nets.mbconv_spec(name)
            self.net = nets.initialise(nets.MBConvNet(spec, every_option=True))
            self.pixels, self.classes = spec["pixels"], spec["classes"]
            self.code = "".join(map(str, self.net.code))
        self.variants = {}

    def choose(self, code):
        """Another path; for PyTorch's benefit nothing of this is timed."""
        if self.name == "macro":
            import make_macro
            self.net = make_macro.Net(code, self.state)
        else:
            self.net.code = [int(c) for c in code]
        self.code, self.variants = code, {}
        return dict(code=code)

    def export(self, dir, calib, images):
        out = pathlib.Path(dir)
        out.mkdir(parents=True, exist_ok=True)
        draw = torch.Generator().manual_seed(1)
        self.images = {}
        torch.save(self.state if self.name == "macro" else self.net.state_dict(), out / "checkpoint.pth")
        for split, n in (("train", calib), ("val", images)):
            x = torch.randn(n, 3, self.pixels, self.pixels, generator=draw)
            y = torch.randint(self.classes, (n,), generator=draw)
            self.images[split] = x
            write_safetensors(out / f"{split}.safetensors", dict(images=x, labels=y))
        return dict(code=self.code, classes=self.classes)

    def model(self, variant, x):
        """The net in a variant, traced once for the frozen ones."""
        last = variant not in ("contiguous", "frozen")
        if variant in self.variants:
            return self.variants[variant]
        net = self.net.to(memory_format=torch.channels_last if last else torch.contiguous_format)
        if variant.startswith(("frozen", "optimised")):
            x = x.contiguous(memory_format=torch.channels_last) if last else x
            net = torch.jit.freeze(torch.jit.trace(net.eval(), x))
            if variant == "optimised_cl":
                net = torch.jit.optimize_for_inference(net)
            for _ in range(3):
                net(x)
            self.variants[variant] = net
        return net

    def time(self, what, variant, batch, images):
        data = self.images["train" if what == "calibrate" else "val"]
        net = self.model(variant, data[:batch])
        if variant in ("contiguous", "channels_last"):
            net.train(what == "calibrate")
        batches = []
        for i in range(0, images, batch):
            x = data[[j % len(data) for j in range(i, min(i + batch, images))]]
            batches.append(x if variant in ("contiguous", "frozen")
                           else x.contiguous(memory_format=torch.channels_last))
        start, cpu = time.perf_counter(), time.process_time()
        hits = 0
        for x in batches:
            hits += int(net(x).argmax(1).sum())
        return dict(s=time.perf_counter() - start, cpu=time.process_time() - cpu)

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
    commands = {"export": case.export, "code": case.choose, "time": case.time, "logits": case.logits}
    for line in sys.stdin:
        request = json.loads(line)
        do = request.pop("do")
        print(json.dumps(commands[do](**request)), flush=True)


if __name__ == "__main__":
    main()
