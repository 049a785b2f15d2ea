"""The example of proto/spaces/README.md: its document and its network, as they stand there."""
import json
import os
import re
import tempfile

from parity import ROOT

TEXT = (ROOT / "proto/spaces/README.md").read_text()
DOCUMENT = json.loads(re.search(r"```json\n(.*?)```", TEXT, re.S)[1])
SPACE = {}
HERE = os.getcwd()
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    try:
        exec(re.search(r"```python\n(.*?)```", TEXT, re.S)[1], SPACE)
        assert os.path.getsize("supernet.pth")
    finally:
        os.chdir(HERE)
Supernet = SPACE["Supernet"]
