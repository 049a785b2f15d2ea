#!/usr/bin/python3
"""`make bench-engine`: our engine next to PyTorch, on the same candidates, weights, images and policy.

Both sides live in one process each, take turns, and use one thread: what is compared is CPU time (of all threads of the
process), which other users of the machine disturb least; medians of the turns, ratio = ours / PyTorch's rate. PyTorch
runs in its best configuration per case: every layout is tried first, and for scoring its frozen graphs too. What it
does not pay here: building nets, tracing and freezing. Scaling over threads is wall time and needs a quiet machine.

Writes build/bench/engine.json, a list of {case, ours, peer, unit, ratio, target} and more; rows of cases that are not
run again stay. Prints the rows as a table.
Options: --quick (fewer turns, images and samples), --only NAME (one case), --macro DIR, --no-callgrind,
--just single|many|threads|count (a part of each case; repeatable). About ten minutes of one idle core.
"""
import argparse
import itertools
import json
import os
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = pathlib.Path(os.environ.get("SUBRANK_BUILD", ROOT / "build" / "release"))
SHARED = pathlib.Path(os.environ.get("SUBRANK_SHARED", ROOT.parent / "shared"))
SPACES = {"shufflenetv2": ROOT / "proto/spaces/spos-shufflenetv2.json",
          "macro": ROOT / "proto/spaces/nas-bench-macro.json",
          "resnet20": ROOT / "proto/spaces/cifar-resnet20.json"}
EAGER, FROZEN = ["contiguous", "channels_last"], ["frozen", "frozen_cl", "optimised_cl"]
SHA = {"checkpoint.pth": "a" * 64, "train.safetensors": "b" * 64, "val.safetensors": "c" * 64}


class Lines:
    """A process that answers a line of JSON with lines of JSON."""

    def __init__(self, *argv):
        self.child = subprocess.Popen([str(a) for a in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, value):
        self.child.stdin.write(json.dumps(value) + "\n")
        self.child.stdin.flush()

    def hear(self):
        line = self.child.stdout.readline()
        if not line:
            raise SystemExit(f"bench_engine: {self.child.args[0]} ended: status {self.child.wait()}")
        return json.loads(line)

    def cpu(self):
        return time.clock_gettime((~self.child.pid) << 3 | 2)  # the process's CPU clock

    def peak_bytes(self):
        text = pathlib.Path(f"/proc/{self.child.pid}/status").read_text()
        return 1024 * int(re.search(r"VmHWM:\s+(\d+)", text)[1])

    def close(self):
        self.child.stdin.close()
        self.child.wait()


def ask(peer, **request):
    peer.tell(request)
    return peer.hear()


class Case:
    """One net on both sides: a PyTorch process, a compute process, and the files between them."""

    def __init__(self, name, pixels, batch, images, macro):
        self.name, self.batch, self.images = name, batch, images
        self.dir = tempfile.mkdtemp(prefix="subrank-bench-")
        self.peer = Lines("/usr/bin/python3", HERE / "peer_torch.py", name, 1, macro)
        made = ask(self.peer, do="export", dir=self.dir, calib=images, images=images)
        self.code, self.space = made["code"], json.loads(SPACES.get(name, HERE / f"spaces/{name}.json").read_text())
        self.files = {sha: f"{self.dir}/{file}" for file, sha in SHA.items()}
        self.ours = Lines(BUILD / "subrank-worker", "--compute")
        self.pixels = pixels

    def job(self, codes, calib, images, batch=None):
        batch = batch or self.batch
        policy = dict(reset=True, average="cumulative", variance="unbiased", batches=max(calib // batch, 1),
                      batch_size=batch) if calib else dict(average="none")
        splits = {s: [dict(blob=SHA[f"{s}.safetensors"])] for s in ("train", "val")}
        return dict(kind="score", space=dict(id=1, document=self.space),
                    checkpoint=dict(id=1, blob=SHA["checkpoint.pth"],
                                    size=os.path.getsize(f"{self.dir}/checkpoint.pth")),
                    dataset=dict(id=1, document=dict(name="bench", format="safetensors", splits=splits)), policy=policy,
                    evaluation=dict(split="val", images=images, batch_size=batch, first=0), candidates=codes)

    def run(self, codes, calib, images, threads=1, process=None):
        """Seconds of CPU and wall time, and the done line, of one job."""
        p = process or self.ours
        cpu, wall = p.cpu(), time.perf_counter()
        p.tell(dict(job=self.job(codes, calib, images), files=self.files, threads=threads))
        while True:
            line = p.hear()
            if "error" in line.get("score", {}) or "error" in line:
                raise SystemExit(f"bench_engine: {self.name}: {line}")
            if "done" in line:
                return p.cpu() - cpu, time.perf_counter() - wall, line["done"]

    def cli(self, codes, calib, images, *options, before=()):
        job = pathlib.Path(self.dir) / "job.json"
        job.write_text(json.dumps(self.job(codes, calib, images)))
        files = [a for sha, path in self.files.items() for a in ("--file", f"{sha}={path}")]
        out = subprocess.run(["env", "OPENBLAS_NUM_THREADS=1", *before, BUILD / "subrank-worker", "score", "--job", job,
                              *files, "--threads", "1", *options], capture_output=True, text=True)
        if out.returncode:
            raise SystemExit(f"bench_engine: {self.name}: {out.stdout[-2000:]}{out.stderr[-2000:]}")
        return out

    def peer_cpu(self, what, variant, images):
        return ask(self.peer, do="time", what=what, variant=variant, batch=self.batch, images=images)["cpu"]

    def best_variant(self, what, variants):
        """The fastest, after a warm-up of each."""
        few = 2 * self.batch
        return min(variants, key=lambda v: (self.peer_cpu(what, v, self.batch), self.peer_cpu(what, v, few))[1])

    def parity(self):
        """Largest logit difference over PyTorch's RMS, after calibration on both sides."""
        n = min(64, self.images)
        theirs = ask(self.peer, do="logits", calib_batches=1, calib_batch=self.batch, images=n)["logits"]
        lines = [json.loads(x) for x in self.cli([self.code], self.batch, n, "--logits", str(n)).stdout.splitlines()]
        mine = next(x["score"]["logits"] for x in lines if "score" in x)
        flat = [(a, b) for p, q in zip(mine, theirs) for a, b in zip(p, q)]
        rms = statistics.fmean(b * b for _, b in flat) ** 0.5
        return max(abs(a - b) for a, b in flat) / rms

    def instructions(self):
        """Instructions of scoring one image, without start and loading. The AVX2 kernels, wherever this runs: callgrind
        knows no wider ones, and counts of two machines are to be compared."""
        before = ["valgrind", "--tool=callgrind", "--toggle-collect=pass_score", "--callgrind-out-file=/dev/null"]
        out = self.cli([self.code], 0, 1, "--isa", "avx2", before=before)
        return int(re.search(r"Collected : (\d+)", out.stderr)[1])

    def profile(self, calib, images):
        return self.cli([self.code], calib, images, "--profile").stderr

    def close(self):
        self.peer.close()
        self.ours.close()
        shutil.rmtree(self.dir)


class Table:
    def __init__(self, path):
        self.rows, self.path = json.loads(path.read_text()) if path.exists() else [], path

    def add(self, case, ours, peer, unit, target, ratio=None, **more):
        ratio = ratio if ratio is not None else ours / peer if peer else None
        self.rows = [r for r in self.rows if r["case"] != case]
        self.rows.append(dict(case=case, ours=ours, peer=peer, unit=unit, ratio=ratio, target=target, **more))
        met = "" if not target or ratio is None else "met" if ratio >= target else "MISSED"
        if "ceiling" in more:
            met += f", {more['ceiling']:.2f} with all products at peak"
        if more.get("disturbed", 0) > 0.05:
            met += f", and others used {100 * more['disturbed']:.0f} % of the machine"
        told = [f"{x:12.4g}" if isinstance(x, (int, float)) else f"{'-':>12}" for x in (ours, peer)]
        print(f"{case:44s}{told[0]}{told[1]} {unit:16s}{ratio if ratio is not None else float('nan'):8.2f}"
              f"{target if target else float('nan'):8.2f} {met}", flush=True)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.rows, indent=1) + "\n")


def measured_peak():
    """GF/s of one core, now."""
    out = subprocess.run([BUILD / "bench-kernels", "peak"], capture_output=True, text=True, check=True).stdout
    return float(re.search(r"peak ([\d.]+)", out)[1])


def roofline(case, calib, images):
    """Multiply-accumulates and the least bytes moved per image, by the engine's own count."""
    words = case.profile(calib, images).splitlines()[-1].split()
    n = calib + images
    macs, moved = 1e9 * float(words[4]) / n, 1e9 * float(words[6]) / n
    return dict(macs_per_image=macs, bytes_per_image=moved, flops_per_byte=2 * macs / moved)


def one_candidate(table, case, turns):
    """Ratios with their ceiling: what they would be if the core did nothing but the direct convolutions' products, at
    its measured peak. Winograd's convolutions have fewer: they may go beyond, and have more than all of the peak."""
    n, share_target = case.images, 0.7 if case.pixels < 64 else 0.6
    parity = case.parity()
    table.add(f"{case.name}: logits, over RMS", parity, None, "of 1e-4", 1.0, ratio=1e-4 / max(parity, 1e-12))
    case.run([case.code], case.batch, case.batch)
    eager_c = case.best_variant("calibrate", EAGER)
    eager, frozen = case.best_variant("score", EAGER), case.best_variant("score", FROZEN)
    calibrate, score, peer_c, peer, froze, peaks = [], [], [], [], [], []
    for _ in range(turns):
        peaks.append(measured_peak())
        calibrate.append(case.run([case.code], n, 1)[0])
        peer_c.append(case.peer_cpu("calibrate", eager_c, n))
        score.append(case.run([case.code], 0, n)[0])
        peer.append(case.peer_cpu("score", eager, n))
        froze.append(case.peer_cpu("score", frozen, n))
    counted, peak = roofline(case, 0, 8), statistics.median(peaks)
    most = 0.5e9 * peak / counted["macs_per_image"]
    for what, ours, theirs, target, variant in [("calibration, one candidate", calibrate, peer_c, 4.0, eager_c),
                                                ("scoring, over eager", score, peer, 3.5, eager),
                                                ("scoring, over frozen", score, froze, 2.4, frozen)]:
        rates = n / statistics.median(ours), n / statistics.median(theirs)
        table.add(f"{case.name}: {what}", *rates, "images/s/core", target, variant=variant, ceiling=most / rates[1])
    rate = n / statistics.median(score)
    table.add(f"{case.name}: share of fp32 peak, scoring", 2e-9 * counted["macs_per_image"] * rate, peak, "GF/s",
              share_target, **counted)


def machine_busy():
    """Seconds of CPU time that all processes of the machine have used."""
    fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return sum(int(f) for i, f in enumerate(fields) if i not in (3, 4)) / os.sysconf("SC_CLK_TCK")


def scaling(table, case, turns):
    """Wall time, so of each side the run that others disturbed least; `disturbed` says how much of the machine they
    had then. Besides: how much more CPU time two threads take, and what of a job only one can do."""
    n = case.images
    case.run([case.code], 0, n)
    runs = {1: [], 2: []}
    for _ in range(2 * turns):
        for t in runs:
            busy = machine_busy()
            cpu, wall, done = case.run([case.code], 0, n, threads=t)
            others = max(machine_busy() - busy - cpu, 0) / wall / os.cpu_count()
            runs[t].append((others, wall, cpu, done["wall_ms"] - done["score_ms"]))
    one, two = min(runs[1]), min(runs[2])
    cpu = [statistics.median(r[2] for r in runs[t]) for t in runs]
    table.add(f"{case.name}: scoring, 1 -> 2 threads (wall)", n / two[1], n / one[1], "images/s", 1.85,
              disturbed=max(one[0], two[0]), cpu_of_two_over_one=cpu[1] / cpu[0], serial_ms=two[3])


def evolved(layers, options, generations=11, seed=3):
    """550 distinct codes, 50 for each generation of the coordinator's evolution (25 mutated and 25 crossed from the
    best 10, ten tries for each, filled up with random ones) on a score that is a sum over layers plus a little noise.
    With these numbers the eleventh generation is the first that crossing cannot fill."""
    draw = random.Random(seed)
    worth = [[draw.random() for _ in range(options)] for _ in range(layers)]
    known = {}

    def some():
        return tuple(draw.randrange(options) for _ in range(layers))

    def mutated(top):
        return tuple(draw.randrange(options) if draw.random() < 0.1 else c for c in draw.choice(top))

    def crossed(top):
        return tuple(draw.choice(pair) for pair in zip(draw.choice(top), draw.choice(top)))

    for _ in range(generations):
        top, fresh = sorted(known, key=known.get)[-10:], []
        for make in (mutated, crossed) if top else ():
            made = (make(top) for _ in range(250))
            fresh += [c for c in dict.fromkeys(made) if c not in known and c not in fresh][:25]
        while len(fresh) < 50:
            code = some()
            fresh += [code] if code not in known and code not in fresh else []
        for code in fresh:
            known[code] = sum(w[c] for w, c in zip(worth, code)) + 0.3 * draw.random()
    return ["".join(map(str, c)) for c in known]


def population(table, case, parts, codes, sample, calib, images, name, target):
    """Jobs of `parts` in our engine, `sample` of all `codes` one by one in PyTorch, taking turns; both as candidates a
    second, so that a few jobs and a few candidates stand for all."""
    eager_c, eager = case.best_variant("calibrate", EAGER), case.best_variant("score", EAGER)
    ours, peer = [], []
    picks = random.Random(1).sample(codes, sample)
    case.run(parts[0][:1], case.batch, 1)  # reads and packs what the first job would
    for i, part in enumerate(parts):
        ours.append(case.run(part, calib, images)[0] / len(part))
        for code in picks[i::len(parts)]:
            ask(case.peer, do="code", code=code)
            case.peer_cpu("calibrate", eager_c, case.batch)
            peer.append(case.peer_cpu("calibrate", eager_c, calib) + case.peer_cpu("score", eager, images))
    table.add(f"{case.name}: {name}", 1 / statistics.fmean(ours), 1 / statistics.fmean(peer), "candidates/s/core",
              target, calibration_images=calib, scored_images=images, candidates=len(codes),
              our_candidates=sum(map(len, parts)), peer_candidates=len(peer))


def memory(table, case, codes):
    """The compute process's peak with few and with many candidates, each in a fresh process. It grows with the weights
    that the candidates use (up to the whole supernet), and until 128 candidates with their plans and statistics."""
    peaks = []
    for n in (5, 100, 250, 550):
        p = Lines(BUILD / "subrank-worker", "--compute")
        case.run(codes[-n:], case.batch, case.batch, process=p)
        peaks.append(p.peak_bytes() / 2**20)
        p.close()
    table.add(f"{case.name}: peak memory, 100 candidates and 5", peaks[1], peaks[0], "MiB", None)
    table.add(f"{case.name}: peak memory, 550 candidates and 250", peaks[3], peaks[2], "MiB", None)


def many_evolved(table, case, quick):
    codes = evolved(19, 6)
    late = codes[-100:]
    population(table, case, [late], late, 4 if quick else 8, case.batch, 2 * case.batch, "100 of an evolution", 6.0)
    memory(table, case, codes)


def many_macro(table, case, quick):
    """Calibration and scoring in the proportion of 1,024 to 2,000 images, batches of 128 as they would be."""
    codes = ["".join(c) for c in itertools.product("012", repeat=8)]
    starts = random.Random(2).sample(range(81), 1 if quick else 3)
    case.batch, before = 128, case.batch
    population(table, case, [codes[81 * s:81 * s + 81] for s in starts], codes, 3 if quick else 9, 128, 250,
               f"6,561 codes, extrapolated from {len(starts)} x 81", 12.0)
    case.batch = before


def counts():
    """Whether instructions can be counted here; says why not."""
    able = shutil.which("valgrind") and " avx2 " in pathlib.Path("/proc/cpuinfo").read_text()
    if not able:
        print("SKIP instructions: needs valgrind and a processor with AVX2")
    return able


MANY = {"mbconv-32-small": many_evolved, "macro": many_macro}


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--quick", action="store_true")
    parse.add_argument("--only", default="")
    parse.add_argument("--macro", default=str(SHARED / "data/weights/macro_supernet"))
    parse.add_argument("--no-callgrind", action="store_true")
    parse.add_argument("--just", action="append", choices=["single", "many", "threads", "count"])
    o = parse.parse_args()
    just = set(o.just or ["single", "many", "threads", "count"]) - ({"count"} if o.no_callgrind else set())
    table = Table(ROOT / "build/bench/engine.json")
    turns = 3 if o.quick else 5
    print(f"{'case':44s}{'ours':>12s}{'peer':>12s} {'unit':16s}{'ratio':>8s}{'target':>8s}")
    cases = [("mbconv-32", 32, 64, 256), ("mbconv-32-small", 32, 64, 512), ("mbconv-224", 224, 16, 32),
             ("shufflenetv2", 224, 16, 32), ("resnet20", 32, 64, 512), ("macro", 32, 64, 512)]
    for name, pixels, batch, images in cases:
        if o.only and o.only != name:
            continue
        if name == "macro" and not pathlib.Path(o.macro, "macro.pth").exists():
            print(f"SKIP macro: {o.macro}/macro.pth not found")
            continue
        case = Case(name, pixels, batch, images if not o.quick else max(images // 2, batch), o.macro)
        if "single" in just:
            one_candidate(table, case, turns)
        if "count" in just and counts():
            table.add(f"{name}: instructions per scored image", case.instructions() / 1e6, None, "million", None)
        if "many" in just and name in MANY:
            MANY[name](table, case, o.quick)
        if "threads" in just and name in ("mbconv-32", "mbconv-224"):
            scaling(table, case, turns)
        if not o.quick and name in ("mbconv-32", "mbconv-224"):
            print(case.profile(batch, images))
        case.close()
    print(f"written: {table.path}")


if __name__ == "__main__":
    sys.exit(main())
