"""One real coordinator with a temporary data directory, and a thin client for setting a test up."""
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SUBRANK_BUILD", ROOT / "build" / "release"))


class Coordinator:
    def __init__(self, *options):
        self.dir = tempfile.TemporaryDirectory(prefix="subrank-web-")
        self.options = options
        self.port = 0
        self.start()

    def start(self):
        """Starts on the port it had before, if any; waits for its ready line."""
        self.log = open(pathlib.Path(self.dir.name) / "log", "a+")
        self.process = subprocess.Popen(
            [BUILD / "subrankd", "--data", self.dir.name + "/data", "--listen", f"127.0.0.1:{self.port}",
             "--webui", str(ROOT / "webui" / "dist"), *self.options],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("ready http://"), line + pathlib.Path(self.log.name).read_text()
        self.url = line.split()[1]
        self.port = int(self.url.rsplit(":", 1)[1])

    def token(self, name="admin"):
        return pathlib.Path(self.dir.name, "data", name + ".token").read_text().strip()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        self.log.close()
        self.dir.cleanup()

    def call(self, method, path, body=None, token=None, raw=None, headers=None):
        """-> (status, document or bytes)"""
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + "/api/v1" + path, data, method=method, headers={
            "Authorization": "Bearer " + (token or self.token()), "Content-Type": "application/json", **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, kind, text = answer.status, answer.headers.get_content_type(), answer.read()
        except urllib.error.HTTPError as error:
            status, kind, text = error.code, error.headers.get_content_type(), error.read()
        return status, json.loads(text) if kind.endswith("json") and text else text

    def post(self, path, body, **more):
        status, answer = self.call("POST", path, body, **more)
        assert status in (200, 201), (path, answer)
        return answer
