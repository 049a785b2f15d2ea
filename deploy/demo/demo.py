"""Runs subrank on this machine alone: a coordinator and two workers on free ports with a temporary directory, a small
supernet and its images uploaded through the REST API, an evolutionary search over it, the ranking as a table.

Python's standard library only. Everything started here is ended and everything written is removed on exit; on a
terminal that is when you press Ctrl-C, so that there is time to look at the dashboard.
"""
import argparse
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Failure(Exception):
    """Ends the demo with one sentence."""


class Api:
    def __init__(self, url, token):
        self.url = url
        self.token = token

    def __call__(self, method, path, body=None, kind="application/json"):
        data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        request = urllib.request.Request(self.url + "/api/v1" + path, data, method=method)
        request.add_header("Authorization", "Bearer " + self.token)
        if data is not None:
            request.add_header("Content-Type", kind)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            try:
                problem = json.loads(error.read())
            except ValueError:
                problem = {}
            raise Failure(f"{method} {path}: {error.code} {problem.get('where', '')} "
                          f"{problem.get('detail', error.reason)} {problem.get('problems', '')}") from None
        return json.loads(text) if text else None

    def upload(self, path):
        data = path.read_bytes()
        sha = hashlib.sha256(data).hexdigest()
        self("PUT", "/blobs/" + sha, data, "application/octet-stream")
        return sha, len(data)


class Programs:
    """What was started, so that it can be ended."""

    def __init__(self, directory, verbose):
        self.dir = directory
        self.verbose = verbose
        self.running = []

    def start(self, name, argv, **env):
        log = self.dir / (name + ".log")
        out = open(log, "wb")
        process = subprocess.Popen(argv, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=dict(os.environ, **env),
                                   start_new_session=True)
        self.running.append((name, process, log))
        return log

    def check(self):
        for name, process, log in self.running:
            if process.poll() is not None:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
                raise Failure(f"{name} ended with status {process.returncode}:\n{tail}")

    def wait_for(self, log, pattern, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = re.search(pattern, log.read_text(errors="replace"))
            if found:
                return found
            self.check()
            time.sleep(0.05)
        raise Failure(f"no {pattern!r} in {log} within {seconds} s")

    def stop(self):
        for name, process, log in reversed(self.running):  # workers first: they return their jobs
            process.terminate()
        for name, process, log in reversed(self.running):
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running = []


def load(data, name, fallback=None):
    path = data / name
    if not path.exists() and fallback is not None:
        return fallback
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise Failure(f"the demo's data is incomplete: {error}") from None


def start_system(programs, directory, workers):
    build = ROOT / "build" / "release"
    data = directory / "coordinator"
    log = programs.start("coordinator", [build / "subrankd", "--data", data, "--listen", "127.0.0.1:0",
                                         "--webui", ROOT / "webui" / "dist"])
    url = programs.wait_for(log, r"^ready .*?url=(\S+)|\nready .*?url=(\S+)", 30)
    url = next(g for g in url.groups() if g).strip('"').rstrip("/")
    threads = max(1, len(os.sched_getaffinity(0)) // workers)
    for i in range(1, workers + 1):
        log = programs.start(f"worker-{i}", [build / "subrank-worker", "--server", url, "--name", f"demo-{i}",
                                             "--state-dir", directory / f"worker-{i}", "--cache-dir",
                                             directory / "cache", "--threads", str(threads)],
                             SUBRANK_JOIN_TOKEN_FILE=str(data / "join.token"))
        programs.wait_for(log, r"(^|\n)joined ", 30)
    print(f"demo: coordinator at {url}, {workers} workers with {threads} thread{'s' * (threads > 1)} each", flush=True)
    return url, data / "admin.token"


def files_by_hash(data):
    """dataset.json names its files by hash, as the coordinator does."""
    return {hashlib.sha256(p.read_bytes()).hexdigest(): p for p in data.iterdir() if p.is_file()}


def submit(api, data):
    space = api("POST", "/spaces", {"name": "demo", "document": load(data, "space.json")})
    blob, size = api.upload(data / "supernet.pth")
    checkpoint = api("POST", "/checkpoints", {"name": "demo supernet", "blob": blob, "space": space["id"],
                                              "rename": load(data, "rename.json", {})})
    dataset, files = load(data, "dataset.json"), files_by_hash(data)
    for parts in dataset["splits"].values():
        for part in parts:
            for key in ("blob", "labels"):
                if key in part:
                    if part[key] not in files:
                        raise Failure(f"no file in {data} has the hash {part[key]} of dataset.json")
                    size += api.upload(files[part[key]])[1]
    dataset = api("POST", "/datasets", dataset)
    print(f"demo: uploaded {size / 1e6:.1f} MB; the space has {space['architectures']} architectures", flush=True)
    search = dict(load(data, "search.json"), checkpoint=checkpoint["id"], dataset=dataset["id"])
    return api("POST", "/searches", search)["id"]


def watch(api, programs, search):
    """Shows progress until the search ended; the last state."""
    live = sys.stdout.isatty()
    shown, began = 0.0, time.monotonic()
    while True:
        programs.check()
        state = api("GET", f"/searches/{search}")
        progress, best = state["progress"], state.get("best")
        line = f"demo: {progress['scored']} of {progress.get('expected') or '?'} architectures scored"
        if progress.get("failed"):
            line += f", {progress['failed']} failed"
        if best:
            line += f", best {best['code']} {best['accuracy']:.1%}"
        line += f", {time.monotonic() - began:.0f} s"
        ended = state["state"] not in ("running", "paused")
        if live:
            print("\r\x1b[K" + line, end="\n" if ended else "", flush=True)
        elif ended or time.monotonic() - shown >= 5:
            shown = time.monotonic()
            print(line, flush=True)
        if ended:
            return state
        time.sleep(0.5)


def table(api, search, rows):
    page = api("GET", f"/searches/{search}/ranking?sort=accuracy&order=desc&limit={rows}")
    if not page["items"]:
        raise Failure("the ranking is empty")
    width = max(len(str(item["code"])) for item in page["items"] + [{"code": "code"}])
    print(f"\n{'rank':>4}  {'code':<{width}}  {'accuracy':>8}  {'95 % interval':>15}  {'MMACs':>8}  {'parameters':>10}")
    for item in page["items"]:
        low, high = item["ci"]
        interval = f"{low:.1%} .. {high:.1%}"
        print(f"{item['rank']:>4}  {item['code']:<{width}}  {item['accuracy']:>8.1%}  {interval:>15}  "
              f"{item['macs'] / 1e6:>8.2f}  {item['params']:>10,}")
    print(f"({len(page['items'])} of {page.get('total', '?')} scored)\n", flush=True)


def wait_for_dashboard(pid):
    """Its build runs in the background; nothing to wait for when it ended or was never started."""
    said = False
    while pid and not (ROOT / "webui" / "dist" / "index.html").exists():
        try:
            state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return
        if state == "Z":
            return
        if not said:
            print("demo: the dashboard is still being built ...", flush=True)
            said = True
        time.sleep(0.5)


def stay(programs, url, token, pid):
    here = sys.stdout.isatty() and sys.stdin.isatty()
    if here:
        wait_for_dashboard(pid)
    built = (ROOT / "webui" / "dist" / "index.html").exists()
    print(f"demo: dashboard: {url}/" + ("" if built else "  (not built; see build/demo-dashboard.log)"))
    print(f"demo: its login asks for a token: cat {token}", flush=True)
    if not here:
        return
    print("demo: everything stays up until Ctrl-C", flush=True)
    while True:
        programs.check()
        time.sleep(1)


def run(args, directory, programs):
    url, token = start_system(programs, directory, args.workers)
    api = Api(url, token.read_text().strip())
    search = submit(api, args.data)
    state = watch(api, programs, search)
    if state["state"] != "done":
        raise Failure(f"the search ended as {state['state']}: {state.get('error', '')}")
    table(api, search, args.rows)
    stay(programs, url, token, args.dashboard_pid)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(__file__).parent,
                        help="directory with space.json, supernet.pth, dataset.json, search.json")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rows", type=int, default=15, help="rows of the ranking to print")
    parser.add_argument("--keep-logs", action="store_true", help="print the programs' logs at the end")
    parser.add_argument("--dashboard-pid", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    directory = pathlib.Path(tempfile.mkdtemp(prefix="subrank-demo-"))
    programs = Programs(directory, args.keep_logs)
    status = 0
    try:
        run(args, directory, programs)
    except KeyboardInterrupt:
        print("\ndemo: ending", flush=True)
    except (Failure, urllib.error.URLError, OSError) as failure:
        print(f"\ndemo: {failure}", file=sys.stderr, flush=True)
        status = 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        programs.stop()
        if args.keep_logs:
            for log in sorted(directory.glob("*.log")):
                print(f"== {log.name}\n{log.read_text(errors='replace')}")
        shutil.rmtree(directory, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
