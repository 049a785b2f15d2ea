#!/usr/bin/python3
"""The coordinator under load: every figure beside its bar, as a table and in build/bench/fleet.json.

usage: bench_fleet.py [--short] [--keep DIR] [NAME...]
Names: hold results leases restart start pages export backup. Without names: all. --short takes seconds with small
numbers and is part of `make test`: it shows that the measurement works and asserts what does not depend on size or
on the machine's other work (statuses, ledger), not the bars. Client, simulator and coordinator share the processors.
"""
import argparse
import hashlib
import json
import pathlib
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fleet"))

import rig  # noqa: E402
import requests  # noqa: E402


class Bench:
    def __init__(self, directory, short):
        self.dir, self.short, self.rows = pathlib.Path(directory), short, []
        self.made = []

    def row(self, what, value, unit, bar, ok):
        self.rows.append({"what": what, "value": value, "unit": unit, "bar": bar, "ok": bool(ok)})
        shown = f"{value:.4g}" if isinstance(value, float) else str(value)
        print(f"{what:<72} {shown:>10} {unit:<9} {bar:<16} {'ok' if ok else 'MISSED'}", flush=True)

    def at_most(self, what, value, unit, bar):
        self.row(what, round(value, 3), unit, f"<= {bar}", value <= bar)

    def at_least(self, what, value, unit, bar):
        self.row(what, round(value, 1), unit, f">= {bar}", value >= bar)

    def coordinator(self, name, *options):
        server = rig.make_coordinator(self.dir / name, *options)
        self.made.append(server)
        return server

    def fleet(self, server, **options):
        fleet = rig.Fleet(server, self.dir / f"ledger-{len(self.made)}", **options)
        self.made.append(fleet)
        return fleet

    def close(self):
        for one in self.made:
            if isinstance(one, rig.Fleet):
                one.kill()
            elif one.process and one.process.running():
                one.process.kill()
        self.made = []


def sound(mark):
    bad = {k: mark[k] for k in ("refused", "errors", "invalid", "unknown", "contradictions", "rejoined") if mark[k]}
    assert not bad, f"the fleet saw {bad}: {mark}"


def settle(bench, server, fleet):
    """Ends the fleet, compares the ledger, stops the coordinator."""
    mark = fleet.stop(300)
    verdict = rig.check(server.data / "subrank.db", fleet.ledger, deep=bench.short)
    assert verdict["problems"] == [], verdict["problems"][:5]
    server.process.stop()
    return mark


def bench_hold(bench):
    """Ten thousand workers with beats, and a mixed load of 350 requests a second."""
    workers, seconds, beat = (500, 3, 3.0) if bench.short else (10_000, 60, 30.0)
    server = bench.coordinator("hold", "--max-job", "4").start()
    stored = rig.store(server)
    for _ in range(10):
        rig.start_search(server, stored, 100_000)
    cycle = (350 - workers / beat) / 2
    fleet = bench.fleet(server, workers=workers, join_rate=500, beat_s=beat, rate=cycle, hold_s=beat)
    fleet.wait("all workers", lambda m: m["joined"] == workers, 120)
    time.sleep(seconds / 4)
    fleet.mark()
    time.sleep(seconds)
    mark = fleet.mark()
    sound(mark)
    late, resident = mark["late_ms"]["all"], rig.memory_mb(server.process.child.pid, "VmHWM")
    assert mark["lost"] == 0 and mark["skipped"] == 0, mark
    rate = late["n"] / mark["seconds"]
    bench.row("workers held with beats", mark["joined"], "workers", ">= 10000", mark["joined"] >= 10_000)
    bench.row("  mixed load", round(rate, 1), "req/s", "350", rate > 340)
    bench.at_most("  median", late["p50"], "ms", 2)
    bench.at_most("  99th percentile", late["p99"], "ms", 20)
    bench.row("  99.9th percentile", round(late["p999"], 2), "ms", "-", True)
    bench.at_most("  resident memory, highest", resident, "MB", 256)
    settle(bench, server, fleet)


def queues_fill(server, each):
    def shortest():
        return min(server.api("GET", f"/searches/{i + 1}")["progress"]["proposed"] for i in range(10))
    rig.wait_for("the queues to fill", lambda: shortest() >= each, 180, 0.5)


def results_at(bench, server, rate, size, seconds):
    """Offers `rate` results a second; (accepted a second, p99 ms, starved)."""
    # A worker may hold few leases: thousands of workers, two jobs with each request, delivered after two seconds.
    workers = 400 if bench.short else 6000
    fleet = bench.fleet(server, workers=workers, join_rate=1000, beat_s=30, batch=2, jobs=4, hold_s=2)
    fleet.wait("all workers", lambda m: m["joined"] == workers, 60)
    fleet.tell(f"rate {rate / 2}")
    time.sleep(4)
    fleet.mark()
    time.sleep(seconds)
    mark = fleet.mark()
    sound(mark)
    fleet.stop(120)
    verdict = rig.check(server.data / "subrank.db", fleet.ledger, deep=bench.short)
    assert verdict["problems"] == [], verdict["problems"][:5]
    return mark["stored"] / mark["seconds"], mark["late_ms"]["result"]["p99"], mark["scores"] / mark["seconds"]


def highest(rates, holds, least):
    """The last of the rising rates that holds; when not even the first does, the first half, quarter, ... that does."""
    best = None
    for rate in rates:
        if not holds(rate):
            break
        best = rate
    rate = rates[0]
    while best is None and rate // 2 >= least:
        rate //= 2
        best = rate if holds(rate) else None
    return best


def bench_results(bench):
    """Results accepted, each durable when it is answered: one score each, then 32 scores each."""
    seconds = 2 if bench.short else 20
    for size in (1, 32):
        server = bench.coordinator(f"results{size}", "--max-job", str(size), "--first-job", str(size)).start()
        stored = rig.store(server)
        for _ in range(10):
            rig.start_search(server, stored, 10_000_000)
        queues_fill(server, 300 if bench.short else 12_000)
        seen = {}

        def holds(rate):
            seen[rate] = got, p99, _ = results_at(bench, server, rate, size, seconds)
            return got >= 0.97 * rate and p99 <= 50

        rates = [2000, 2500, 3000, 4000, 5000, 6000, 8000] if size == 1 else [500, 1000, 2000]
        rates = [200] if bench.short else rates
        best = highest(rates, holds, 200 if bench.short else 8)
        got, p99, _ = seen[rates[0]]
        accepted, _, scores = seen.get(best, (0, 0, 0))
        if size == 1:
            bench.at_least("durable results accepted", got, "/s", 0.99 * rates[0])
            bench.at_most("  99th percentile", p99, "ms", 50)
            bench.row("  highest rate with the 99th percentile within 50 ms", round(accepted), "/s", "said", True)
        else:
            bench.row(f"  with {size} scores in each result", round(scores), "scores/s", "said", True)
        server.process.stop()


def bench_leases(bench):
    """Leases handed out while ten searches of 100,000 candidates of a large space are queued."""
    rate, seconds = (100, 2) if bench.short else (1000, 15)
    server = bench.coordinator("leases", "--max-job", "4").start()
    stored = rig.store(server, large=not bench.short)
    for _ in range(10):
        rig.start_search(server, stored, 100_000)
    queues_fill(server, 300 if bench.short else 9000)
    fleet = bench.fleet(server, workers=5 * rate, join_rate=1000, beat_s=30, rate=rate, jobs=8, hold_s=120)
    fleet.wait("all workers", lambda m: m["joined"] == 5 * rate, 60)
    time.sleep(2)
    fleet.mark()
    time.sleep(seconds)
    mark = fleet.mark()
    sound(mark)
    bench.at_least("leases handed out, ten searches of 100,000 queued", mark["leases"] / mark["seconds"], "/s",
                   0.99 * rate)
    bench.at_most("  99th percentile", mark["late_ms"]["lease"]["p99"], "ms", 10)
    fleet.kill()
    server.process.stop()


def bench_restart(bench):
    """kill -9 with ten thousand workers that hold leases; all reconnect at once."""
    workers = 500 if bench.short else 10_000
    server = bench.coordinator("restart", "--max-job", "4").start()
    stored = rig.store(server)
    for _ in range(10):
        rig.start_search(server, stored, 100_000)
    fleet = bench.fleet(server, workers=workers, join_rate=700, beat_s=30, rate=400, hold_s=1e6, backoff_s=0.5,
                        backoff_max_s=8)
    fleet.wait("a lease for each worker", lambda m: m["held"] == workers, 180)
    server.process.kill()
    time.sleep(1)
    server.start()
    ready = time.clock_gettime(time.CLOCK_BOOTTIME)
    time.sleep(0.5)
    mark = fleet.wait("all workers served", lambda m: m["unserved"] == 0, 120)
    gone, errors, resent = mark["gone"], mark["errors"] + mark["refused"], mark["forgotten"]
    bench.at_most("restart: all workers served after", mark["served_ns"] / 1e9 - ready, "s", 60)
    time.sleep(2 if bench.short else 35)
    mark = fleet.mark()
    bench.at_most("  answers of status 5xx or 4xx", errors + mark["errors"] + mark["refused"], "", 0)
    bench.at_most("  live leases lost", gone + mark["gone"] + resent + mark["forgotten"], "", 0)
    settle(bench, server, fleet)


# ---- a million scored candidates

def fill(database, search, count):
    """Scored candidates of the small space, straight into the database of a stopped coordinator."""
    db = sqlite3.connect(database)
    db.execute("PRAGMA synchronous = OFF")

    def rows():
        for i in range(count):
            n = i * 2654435761 % 4 ** rig.LAYERS
            code = "".join(str(n >> 2 * k & 3) for k in range(rig.LAYERS))
            digest = hashlib.md5(code.encode()).hexdigest()
            correct = int(digest[:6], 16) % (rig.IMAGES + 1)
            yield (search, i, code, digest, hashlib.md5(code[1:].encode()).hexdigest(),
                   1_000_000 + int(digest[6:11], 16), 10_000 + int(digest[11:15], 16), i // 1000, rig.IMAGES, correct,
                   correct + (rig.IMAGES - correct) // 2, (rig.IMAGES - correct) * 1.37 + 0.1, digest,
                   1_700_000_000_000 + i)

    db.executemany("INSERT INTO candidate (search, idx, code, key, class, macs, params, generation, state, n_images, "
                   "n_correct, n_correct_top5, loss_sum, stats_digest, scored_at) "
                   "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'scored', ?, ?, ?, ?, ?, ?)", rows())
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def large(bench):
    """A coordinator, stopped, whose search 1 has a million scored candidates and still runs (it is read at start and
    ends at once), while search 2 has work for a fleet; (server, search, count)."""
    count = 20_000 if bench.short else 1_000_000
    server = bench.coordinator(f"million{len(bench.made)}", "--max-job", "4")
    kept = bench.dir / f"million-{count}.db"
    server.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not kept.exists():
        server.start()
        stored = rig.store(server)
        search = rig.start_search(server, stored, count)
        rig.start_search(server, stored, 10_000_000)
        server.api("POST", f"/searches/{search}/pause")
        server.process.stop()
        db = sqlite3.connect(server.data / "subrank.db")
        db.execute("DELETE FROM candidate WHERE search = ?", (search,))
        db.execute("UPDATE search SET state = 'running'")
        db.execute("DELETE FROM event")
        db.commit()
        db.close()
        fill(server.data / "subrank.db", search, count)
        subprocess.run(["cp", "-r", str(server.data), str(kept)], check=True)
    else:
        subprocess.run(["cp", "-r", f"{kept}/.", str(server.data)], check=True)
    return server, 1, count


def bench_start(bench):
    """Time from exec to the ready line with a million scored candidates of a running search."""
    times = []
    for _ in range(1 if bench.short else 3):
        server, search, count = large(bench)
        began = time.monotonic()
        server.start()
        times.append(time.monotonic() - began)
        resident = rig.memory_mb(server.process.child.pid)
        assert server.api("GET", f"/searches/{search}")["progress"]["scored"] == count
        server.process.stop()
    bench.at_most("start with 1,000,000 scored candidates", statistics.median(times), "s", 3)
    bench.row("  resident memory", round(resident), "MB", "said", True)


def timed(session, server, path):
    began = time.monotonic()
    answer = session.get(server.url + "/api/v1" + path)
    took = (time.monotonic() - began) * 1000
    assert answer.status_code == 200, answer.text[:300]
    return took, answer


SORTS = ("accuracy", "accuracy5", "loss", "macs", "params", "code", "class", "generation", "scored_at", "index")
FILTERS = ("", "&macs_max=1500000", "&accuracy_min=0.9&params_min=20000", "&q=01", "&status=scored&loss_max=1")


def bench_pages(bench):
    """Ranking pages by every column in both orders, with filters, by cursor and by offset; then the pictures."""
    server, search, count = large(bench)
    server.start()
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {server.token()}"
    base = f"/searches/{search}"
    first, later = [], []
    for sort in SORTS:
        for order in ("asc", "desc"):
            for f in FILTERS:
                path = f"{base}/ranking?sort={sort}&order={order}&limit=100{f}"
                took, answer = timed(session, server, path)
                first.append((took, path))
                after = answer.json()["next"]
                for _ in range(2):
                    later.append((timed(session, server, path)[0], path))
                    if after:
                        took, answer = timed(session, server, f"{path}&after={requests.utils.quote(after)}")
                        later.append((took, path + "&after"))
                        after = answer.json()["next"]
                later.append((timed(session, server, f"{path}&offset={count // 2}")[0], path + "&offset"))
    for name, list_ in (("first visit of an order", first), ("any page", first + later)):
        worst = sorted(list_)
        p99 = worst[min(len(worst) - 1, int(len(worst) * 0.99))]
        bar = 50
        if name == "any page":
            bench.at_most(f"ranking page of 1,000,000, {name}, {len(worst)} pages, p99", p99[0], "ms", bar)
        else:
            bench.row(f"  slowest {name}: {worst[-1][1].split('?')[1][:40]}", round(worst[-1][0], 1), "ms", "said", True)
    for what, path in (("Pareto front", f"{base}/pareto?cost=macs"), ("density", f"{base}/density?x=macs&y=accuracy")):
        cold, _ = timed(session, server, path)
        warm = max(timed(session, server, path)[0] for _ in range(5))
        bench.at_most(f"{what} of 1,000,000, cold", cold, "ms", 250)
        bench.at_most("  cached, slowest of 5", warm, "ms", 10)
    server.process.stop()


def quiet_and_busy(bench, server, job):
    """The fleet's p99 before and during job(); (before, during, seconds, what job returned)."""
    workers, wait = (100, 2) if bench.short else (2000, 15)
    fleet = bench.fleet(server, workers=workers, join_rate=1000, beat_s=10, rate=50, hold_s=5)
    fleet.wait("all workers", lambda m: m["joined"] == workers, 60)
    time.sleep(3)
    fleet.mark()
    time.sleep(wait)
    before = fleet.mark()
    began = time.monotonic()
    value = job()
    took = time.monotonic() - began
    during = fleet.mark()
    sound(before)
    sound(during)
    fleet.stop(120)
    return before["late_ms"]["all"], during["late_ms"]["all"], took, value


def bench_export(bench):
    """The CSV of a million rows while workers work."""
    server, search, count = large(bench)
    server.start()
    timed_session = requests.Session()
    timed_session.headers["Authorization"] = f"Bearer {server.token()}"
    pid, peak, done = server.process.child.pid, [0.0], threading.Event()

    def download():
        resident = rig.memory_mb(pid)
        watcher = threading.Thread(target=watch)
        watcher.start()
        lines = 0
        with timed_session.get(f"{server.url}/api/v1/searches/{search}/export.csv", stream=True) as answer:
            assert answer.status_code == 200, answer.text[:300]
            for piece in answer.iter_content(1 << 20):
                lines += piece.count(b"\n")
        done.set()
        watcher.join()
        return lines, peak[0] - resident

    def watch():
        while not done.wait(0.02):
            peak[0] = max(peak[0], rig.memory_mb(pid))

    before, during, took, (lines, extra) = quiet_and_busy(bench, server, download)
    assert lines >= count + 1, lines
    bench.at_most("CSV of 1,000,000 rows", took, "s", 10)
    bench.at_most("  extra memory", max(0.0, extra), "MB", 16)
    bench.row("  workers' p99 meanwhile", round(during["p99"], 2), "ms", f"<= 2 x {before['p99']:.2f}",
              during["p99"] <= 2 * before["p99"] or during["p99"] <= 5)
    server.process.stop()


def bench_backup(bench):
    """An online backup while workers work, then its verification."""
    server, _, count = large(bench)
    server.start()
    copy = bench.dir / "copy.db"

    def backup():
        subprocess.run([str(rig.BUILD / "subrankd"), "backup", "--data", str(server.data), str(copy)], check=True,
                       stdout=subprocess.DEVNULL)

    before, during, took, _ = quiet_and_busy(bench, server, backup)
    db = sqlite3.connect(f"file:{copy}?mode=ro", uri=True)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    got, = db.execute("SELECT count(*) FROM candidate WHERE state = 'scored'").fetchone()
    db.close()
    assert got >= count
    bench.at_most("backup of 1,000,000 rows under load", took, "s", 10)
    bench.at_most("  longest answer that waited for a commit", during["max"], "ms", 50)
    server.process.stop()


ALL = {name[6:]: fn for name, fn in list(globals().items()) if name.startswith("bench_")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--keep", help="directory to work in, kept; the database of a million rows is used again")
    parser.add_argument("names", nargs="*", choices=[*ALL, []])
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="subrank-bench-") as scratch:
        directory = pathlib.Path(args.keep or scratch)
        directory.mkdir(parents=True, exist_ok=True)
        rows = []
        for name in args.names or ALL:
            bench = Bench(directory, args.short)
            for old in directory.glob("*"):
                if not old.name.startswith("million-"):
                    subprocess.run(["rm", "-rf", str(old)], check=True)
            try:
                ALL[name](bench)
            finally:
                bench.close()
            rows += bench.rows
    if not args.short:
        out = rig.ROOT / "build" / "bench" / "fleet.json"
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(rows, indent=1) + "\n")
        print(f"{sum(not r['ok'] for r in rows)} of {len(rows)} missed; {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
