"""A coordinator for one test: tests/e2e/cluster.py's, with a temporary directory of its own."""
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
import cluster  # noqa: E402

BUILD = cluster.BUILD


class Coordinator(cluster.Coordinator):
    def __init__(self, *options):
        self.home = tempfile.TemporaryDirectory(prefix="subrank-web-")
        super().__init__(self.home.name, "--webui", ROOT / "webui" / "dist", *options)
        self.start()

    def kill(self):
        self.process.kill()

    def close(self):
        if self.process.running():
            self.process.stop()
        self.home.cleanup()

    def call(self, method, path, body=None, token=None):
        """-> (status, document)"""
        answer = self.request(method, path, token, **({} if body is None else {"json": body}))
        return answer.status_code, answer.json() if answer.content else None

    def post(self, path, body, token=None):
        return self.api("POST", path, body, token=token)
