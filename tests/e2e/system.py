"""Real processes for the system tests: a coordinator and workers in a directory of their own, on free ports. Tests wait
on log events, never on time alone."""
import os
import pathlib
import re
import signal
import subprocess
import time

import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / os.environ.get("SUBRANK_VARIANT", "release")


def shared(path):
    """A file of the shared data directory, or None (the caller skips)."""
    base = os.environ.get("SUBRANK_SHARED")
    found = (pathlib.Path(base) if base else ROOT.parent / "shared") / path
    return found if found.exists() else None


def wait_until(what, probe, seconds=30):
    end = time.monotonic() + seconds
    while True:
        got = probe()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"no {what} within {seconds} s")
        time.sleep(0.03)


class Process:
    def __init__(self, argv, log, env=None, preexec=None):
        self.argv = [str(a) for a in argv]
        self.log = log
        self.offset = log.stat().st_size if log.exists() else 0
        with open(log, "ab") as out:
            self.process = subprocess.Popen(self.argv, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                            env=dict(os.environ, **(env or {})), preexec_fn=preexec)

    def text(self):
        """What this process (not an earlier one with the same log) wrote."""
        with open(self.log, "rb") as f:
            f.seek(self.offset)
            return f.read().decode(errors="replace")

    def wait_event(self, name, seconds=30, count=1, **fields):
        """The fields of the count-th line whose event is `name` and that has these fields."""
        def probe():
            hits = [line for line in self.events(name) if
                    all(re.search(rf"(^| ){k}=\"?{re.escape(str(v))}\"?( |$)", line) for k, v in fields.items())]
            if len(hits) >= count:
                return hits[count - 1]
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode} before {name}:\n{self.text()[-3000:]}")
            return None
        try:
            line = wait_until(f"event {name} {fields}", probe, seconds)
        except AssertionError as missing:
            raise AssertionError(f"{missing}; the log:\n{self.text()[-3000:]}") from None
        return {k: v.strip('"') for k, v in re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)', line)}

    def events(self, name):
        return [line for line in self.text().splitlines() if line.startswith(name + " ")]

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        return self.process.wait(30)

    def stop(self, seconds=30):
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(seconds)

    def ended(self, seconds=30):
        return self.process.wait(seconds)


class System:
    def __init__(self, directory, **settings):
        self.dir = pathlib.Path(directory)
        self.settings = dict({"beat-s": 0.5, "expiry-s": 2, "sweep-s": 0.2}, **settings)
        self.processes = []
        self.coordinator = None
        self.address = "127.0.0.1:0"

    def start_coordinator(self):
        argv = [BUILD / "subrankd", "--data", self.dir / "data", "--listen", self.address]
        for key, value in self.settings.items():
            argv += [f"--{key}", value]
        self.coordinator = Process(argv, self.dir / "coordinator.log")
        self.processes.append(self.coordinator)
        self.url = self.coordinator.wait_event("ready")["url"].rstrip("/")
        self.address = self.url.split("//")[1]  # a restart takes the same port
        return self

    def token(self, role):
        return (self.dir / "data" / f"{role}.token").read_text().strip()

    def worker(self, name="w1", *options, env=None, preexec=None):
        env = dict({"SUBRANK_JOIN_TOKEN_FILE": str(self.dir / "data" / "join.token")}, **(env or {}))
        p = Process([BUILD / "subrank-worker", "--server", self.url, "--name", name, "--state-dir", self.dir / name,
                     "--threads", 1, *options], self.dir / f"{name}.log", env, preexec)
        self.processes.append(p)
        return p

    def call(self, method, path, body=None, status=None, token=None, **more):
        r = requests.request(method, self.url + "/api/v1" + path, json=body, timeout=60,
                             headers={"Authorization": "Bearer " + (token or self.token("admin"))}, **more)
        good = r.ok if status is None else r.status_code == status
        assert good, f"{method} {path}: {r.status_code} {r.text[:2000]}"
        return r.json() if r.content else None

    def workers(self):
        return {w["name"]: w for w in self.call("GET", "/workers")["items"]}

    def close(self):
        for p in reversed(self.processes):
            p.kill()
