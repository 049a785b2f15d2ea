"""Costs of architectures whose numbers the references print, by the checker (subrankd space FILE --code CODE --json)."""
import csv
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLES = Path(os.environ.get("SUBRANK_SHARED", ROOT.parent / "shared")) / "data/tables"
SUBRANKD = Path(os.environ.get("SUBRANK_BUILD", ROOT / "build/release")) / "subrankd"


def cost(document, code, folder):
    (folder / "space.json").write_text(json.dumps(document))
    out = subprocess.run([SUBRANKD, "space", folder / "space.json", "--code", code, "--json"], stdout=subprocess.PIPE,
                         check=True)
    return json.loads(out.stdout)


def document(name):
    return json.loads((ROOT / f"proto/spaces/{name}.json").read_text())


def table(path):
    if not (TABLES / path).exists():
        pytest.skip(f"SKIP: {TABLES / path} not found")
    return csv.DictReader((TABLES / path).open())


def round8(v):
    new = max(8, int(v + 4) // 8 * 8)
    return new + 8 if new < 0.9 * v else new


def ofa_code(blocks, resolution):
    """Kernels, expansions and depths of a specialised network's blocks k:mid:out:se:act:stride:skip."""
    rows = [b.split(":") for b in blocks.split()]
    width, stages = int(rows[0][2]), []
    for k, mid, out, _, _, _, skip in rows[1:]:
        if skip == "0":
            stages.append([])
        stages[-1].append((k, next(str(e) for e in (3, 4, 6) if round8(width * e) == int(mid))))
        width = int(out)
    pad = [s + [("3", "3")] * (4 - len(s)) for s in stages[:5]] + stages[5:]
    ks, e = [k for s in pad for k, _ in s], [e for s in pad for _, e in s]
    return ",".join(ks + e + [str(len(s)) for s in stages[:5]] + [str(resolution)])


def test_ofa_specialised_networks(tmp_path):
    """MACs of the 42 MobileNetV3 and ProxylessNAS networks of Once-for-All's README (mit-han-lab/once-for-all at
    f03b267) whose blocks its net.config files list; the README's 79M for note10 8 ms is 75.8M by its own blocks."""
    readme = {re.sub("@", "-", r["net_id"]): r["macs"] for r in table("ofa/ofa_readme_specialized_table.csv")}
    checked = 0
    table("ofa/ofa_specialized_nets.csv")
    for line in (TABLES / "ofa/ofa_specialized_nets.csv").read_text().splitlines()[1:]:
        name, _, _, resolution, _, blocks, first, *_ = line.split(",")
        macs = readme.get(re.sub("@", "-", name.replace("_finetune-", "_finetune-")), "")
        if not macs.endswith("M") or name.startswith("resnet"):
            continue
        kind = {"16": "ofa-mbv3-w1.0", "24": "ofa-mbv3-w1.2", "40": "ofa-proxyless"}[first]
        doc = document(kind)
        doc["decisions"]["r"], doc["input"] = [int(resolution)], [3, int(resolution), int(resolution)]
        got = int(cost(doc, ofa_code(blocks, resolution), tmp_path)["macs"])
        if name.startswith("note10_lat-8ms"):
            assert round(got / 1e5) == 758
        else:
            assert abs(got / 1e6 - float(macs[:-1])) <= 1, (name, got, macs)
        checked += 1
    assert checked >= 40, checked


def test_attentive_networks(tmp_path):
    """MFLOPs of AttentiveNAS's A0 to A6 (README of facebookresearch/AttentiveNAS), of the networks that its
    configs/eval_attentive_nas_models.yml lists; that file may not be given on, so it is read where it is."""
    path = TABLES / "attentivenas/attentivenas_a0_a6.yml"
    if not path.exists():
        pytest.skip(f"SKIP: {path} not found")
    fields = {key: re.findall(rf"^        {key}: \[?([0-9, ]+)", path.read_text(), re.M)
              for key in ("resolution", "width", "depth", "kernel_size", "expand_ratio")}
    doc = document("attentive-nas")
    for i, mflops in enumerate((203.4, 279.2, 316.7, 356.5, 443.5, 490.5, 709.0)):
        code = ",".join(fields[key][i].strip() for key in fields).replace(" ", "")
        assert round(int(cost(doc, code, tmp_path)["macs"]) / 1e5) == round(mflops * 10), i


def test_autoformer_published_network(tmp_path):
    """AutoFormer-T of the paper's table: 1.3 G and 5.7 M, the latter without the classifier (arXiv 2107.00651); depth,
    ratios, heads and width from experiments/subnet/AutoFormer-T.yaml, whose ratio 3 is outside the supernet's space."""
    doc = document("vit-autoformer")
    doc["decisions"]["ratio"]["of"] = [3, 3.5, 4]
    got = cost(doc, "13,3.5,3.5,3,3.5,3,3,4,4,3.5,4,3.5,4,3.5,3.5,3,3,3,3,3,3,3,3,3,3,4,3,3,3,192", tmp_path)
    assert round(got["macs"] / 1e8) == 13
    assert round((got["params"] - 193 * 1000) / 1e5) == 57


def darts_code(row):
    """Pairs op~input, two a node, normal cells then reduction cells; our code names the lower input first."""
    cells = []
    for pairs in (row["normal"].split(), row["reduce"].split()):
        edges = [p.split("~") for p in pairs]
        nodes = [sorted(edges[i:i + 2], key=lambda e: int(e[1])) for i in range(0, 8, 2)]
        cells.append(" ".join(f"{a[0]},{b[0]}~{a[1]}+{b[1]}" for a, b in nodes))
    return " | ".join(cells)


def test_darts_genotypes(tmp_path):
    """Parameters in millions of the networks of 20 cells and 36 channels that DARTS-PT trained from its genotypes
    (ruocwang/darts-pt at 4ec3149, sota/cnn/genotypes.py; most are rounded to two digits, some cut off, one to one
    digit): BatchNorm has affine there and pools have none. The smaller spaces' operators are the largest one's. Every
    seventh of the 56."""
    doc = document("darts")
    doc["constants"].update(channels=36, cells=20, affine=True)
    for module in ("pooled", "averaged"):
        doc["modules"][module]["body"][0]["seq"].remove("bn")
    for i, row in enumerate(table("darts_pt/genotypes.csv")):
        if i % 7:
            continue
        doc["network"][-1]["linear"] = 100 if row["section"].startswith("cifar100") else 10
        got = cost(doc, darts_code(row), tmp_path)["params"] / 1e6
        assert -0.005 <= got - float(row["params_M_comment"].split()[0]) < 0.012, (row["name"], got)


def test_gold_nas(tmp_path):
    """sunsmarterjie/GOLD_NAS at 3b40c2a: its formula gives 779.47 M multiplications for the whole network and 507.08 M
    for its genotype "s1", both with the same constant for stem, preprocessing and classifier."""
    nodes = [[[] for _ in range(4)] for _ in range(14)]
    for row in table("gold_nas/genotype_s1.csv"):
        nodes[int(row["cell"])][int(row["to_node"]) - 2].append((int(row["from_node"]), row["op"] == "sep_conv_3x3"))
    def macs(cells):
        kinds = ("skip~", "sep~")
        sets = [["+".join(kinds[sep] + str(j) for j, sep in sorted(node)) for node in cell] for cell in cells]
        code = " | ".join(map(" ".join, sets))
        return int(cost(document("gold-nas"), code, tmp_path)["macs"]) / 1e6

    s1 = macs(nodes)
    whole = macs([[[(j, sep) for j in range(n) for sep in (False, True)] for n in (2, 3, 4, 5)]] * 14)
    assert abs((whole - s1) - (779.47 - 507.08)) < 0.011
    assert abs(whole - 779.47 + 166.0186 - 163.57) < 0.011  # the constant counts 166.02 M where the layers have 163.57
