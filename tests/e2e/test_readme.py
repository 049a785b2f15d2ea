"""The README's worked example, run line by line as a new user would."""
import json
import os
import re
import signal
import subprocess

from cluster import BUILD, ROOT


def test_the_worked_example_of_the_readme(tmp_path, free_port):
    blocks = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(), re.S | re.M)
    assert len(blocks) >= 7
    script = "set -eu\n" + "echo @@@\n".join(blocks)
    script = script.replace("make server worker\n", "").replace("8420", str(free_port))
    script = script.replace("build/release/", f"{BUILD}/").replace("rank-data", f"{tmp_path}/rank-data")
    child = subprocess.Popen(["bash", "-c", script], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             start_new_session=True, env={**os.environ, "SUBRANK_MEMORY": "2G"})
    try:
        child.wait(300)
    finally:
        os.killpg(child.pid, signal.SIGTERM)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 0, out[-2000:] + err[-4000:]
    answers = out.split("@@@\n")
    ranking = json.loads(answers[-2].splitlines()[0])
    assert len(ranking["items"]) == 3 and ranking["items"][0]["rank"] == 1
    assert ranking["items"][0]["macs"] <= 6000000
    assert json.loads(answers[-1].splitlines()[-1])["n"] >= 0
