"""deploy/ and --help agree with the programs: every option is explained, every option, variable and setting that a unit,
container, manifest, script, example or the README names exists, and the examples really start the programs."""
import re
import shutil
import subprocess

import pytest
import yaml

from cluster import BUILD, ROOT, Cluster, Process

DEPLOY = ROOT / "deploy"
PROGRAMS = {"subrankd": BUILD / "subrankd", "subrank-worker": BUILD / "subrank-worker"}
# Variables of scripts and tests, not of the programs.
SCRIPTS = {"SUBRANK_WORKER", "SUBRANK_SHARED", "SUBRANK_BUILD"}


def text_of(program, *argv):
    run = subprocess.run([PROGRAMS[program], *argv], capture_output=True, text=True, timeout=30)
    assert run.returncode == 0 and not run.stderr, run.stderr
    return run.stdout


def options(program):
    return set(re.findall(r"^  --([a-z-]+)", text_of(program, "--help"), re.M))


def variables(program):
    """Environment names: the worker's help lists them, the coordinator's are the options in capitals."""
    named = set(re.findall(r"SUBRANK_[A-Z_]+", text_of(program, "--help"))) - {"SUBRANK_NAME"} | (
        {"SUBRANK_NAME"} if program == "subrank-worker" else set())
    return named | {"SUBRANK_" + o.upper().replace("-", "_") for o in options(program)}


def settings_in_source(program):
    if program == "subrankd":
        return {m.replace("_", "-") for m in re.findall(r"^X\((\w+),", (ROOT / "server/config.def").read_text(), re.M)}
    return set(re.findall(r'X\(\w+, [A-Z]+, "([a-z-]+)"', (ROOT / "worker/config.h").read_text()))


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_explains_every_option(program):
    text = text_of(program, "--help")
    wanted = settings_in_source(program)
    assert len(wanted) > 12
    for name in wanted:
        found = re.search(rf"(?:^|\s)(?:--)?{re.escape(name)}\b[^\n]*(?:\n\s+[^\n]*)?", text)
        assert found and len(found[0].split()) >= 4, f"--{name} is not explained"
    assert "--help" in text and "--version" in text
    assert re.match(rf"{program} \S+ \(.+\)", text_of(program, "--version"))


@pytest.mark.parametrize("program, argv, says", [
    ("subrankd", ["--nonsense", "1"], "--nonsense"), ("subrankd", ["--beat-s", "x"], "beat-s"), ("subrankd", ["stray"], "stray"),
    ("subrankd", ["--config", "/no/such/file"], "/no/such/file"), ("subrankd", ["--listen"], "needs a value"),
    ("subrankd", ["--log-level", "loud"], "--log-level"), ("subrankd", ["--listen", "nowhere", "--data", "{dir}"], "HOST:PORT"),
    ("subrankd", ["--tls-cert", "/no/cert", "--data", "{dir}", "--listen", "127.0.0.1:0"], "/no/cert"),
    ("subrankd", ["--data", "/proc/none", "--listen", "127.0.0.1:0"], "/proc/none"),
    ("subrank-worker", ["--nonsense", "1"], "nonsense"), ("subrank-worker", ["--threads", "x"], "threads"), ("subrank-worker", [], "--server"),
    ("subrank-worker", ["--join-token", "sr_x"], "command line"), ("subrank-worker", ["--server", "ftp://x"], "http"),
    ("subrank-worker", ["--server", "http://u:p@x"], "credentials")])
def test_wrong_usage_is_said_on_one_line(program, argv, says, tmp_path):
    argv = [a.replace("{dir}", str(tmp_path)) for a in argv]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    run = subprocess.run([PROGRAMS[program], *argv], capture_output=True, text=True, timeout=30, env=env)
    assert run.returncode in (1, 2) and says in run.stderr.splitlines()[-1], run.stderr
    assert "sr_x" not in run.stderr


def test_every_variable_that_is_named_exists():
    known = variables("subrankd") | variables("subrank-worker") | SCRIPTS
    files = [p for p in DEPLOY.rglob("*") if p.is_file() and p.suffix in ("", ".service", ".conf", ".yaml", ".sbatch", ".sh", ".py")]
    assert len(files) >= 8
    for path in [*files, ROOT / "README.md"]:
        for name in set(re.findall(r"\bSUBRANK_[A-Z_]*[A-Z]\b", path.read_text())):
            assert name in known, f"{path.relative_to(ROOT)} names {name}"


def test_every_option_that_is_named_exists():
    for path in [*DEPLOY.rglob("*"), ROOT / "README.md"]:
        if not path.is_file() or path.suffix not in ("", ".service", ".sh", ".md", ".py", ".yaml", ".sbatch"):
            continue
        text = path.read_text().replace("\\\n", " ")
        for program in PROGRAMS:
            for line in re.findall(rf"(?<![\w.-]){program}(?: |\", \")([^\n`|;)]*)", text):
                if line.startswith(("space", "backup", "restore", "score")):
                    continue
                for name in re.findall(r"(?<!\S)\"?--([a-z-]+)", line):
                    assert name in options(program) | {"help", "version", "config"}, f"{path.relative_to(ROOT)}: {program} --{name}"


@pytest.mark.parametrize("file, program", [("subrankd.conf", "subrankd"), ("worker.conf", "subrank-worker")])
def test_example_settings_exist(file, program):
    names = re.findall(r"^#?([a-z-]+) = ", (DEPLOY / file).read_text(), re.M)
    assert names and set(names) <= options(program)


def test_the_example_settings_start_the_programs(tmp_path):
    one = Cluster(tmp_path, "--config", DEPLOY / "subrankd.conf")
    try:
        one.start()  # the address of the file gives way to the test's
        worker = Process([PROGRAMS["subrank-worker"], "--config", DEPLOY / "worker.conf", "--server", one.server.url, "--state-dir", tmp_path / "w",
                          "--join-token-file", one.server.data / "join.token"], tmp_path / "w.log")
        one.workers["w"] = worker
        worker.wait_event("joined" if "joined" in worker.text() else "started")
        assert worker.stop() == 0
    finally:
        one.close()


@pytest.mark.parametrize("unit", ["subrankd", "subrank-worker"])
def test_units_are_sound_and_hardened(unit, tmp_path):
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        pytest.skip("SKIP systemd-analyze not found")
    text = (DEPLOY / "systemd" / f"{unit}.service").read_text()
    assert f"/usr/local/bin/{unit}" in text
    here = tmp_path / f"{unit}.service"
    here.write_text(text.replace(f"/usr/local/bin/{unit}", str(PROGRAMS[unit].resolve())))
    run = subprocess.run([analyze, "verify", "--man=no", here], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0 and not [m for m in run.stderr.splitlines() if unit in m], run.stderr
    run = subprocess.run([analyze, "security", "--offline=yes", "--threshold=30", here], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout[-1500:] + run.stderr


def test_the_kubernetes_manifest_is_consistent():
    docs = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "workers.yaml").read_text()))
    known = variables("subrank-worker")
    for doc in docs:
        pod = doc["spec"]["template"]["spec"]
        assert doc["spec"]["selector"]["matchLabels"].items() <= doc["spec"]["template"]["metadata"]["labels"].items()
        volumes = {v["name"] for v in pod["volumes"]}
        assert pod["securityContext"]["runAsNonRoot"] and pod["automountServiceAccountToken"] is False
        for c in pod["containers"]:
            assert {e["name"] for e in c["env"]} <= known
            assert {m["name"] for m in c["volumeMounts"]} == volumes
            assert c["securityContext"]["readOnlyRootFilesystem"] and not c["securityContext"]["allowPrivilegeEscalation"]
            mounts = {m["mountPath"] for m in c["volumeMounts"]}
            for e in c["env"]:  # what it writes and reads lies on a volume
                if e["name"] in ("SUBRANK_STATE_DIR", "SUBRANK_CACHE_DIR", "SUBRANK_JOIN_TOKEN_FILE"):
                    assert any(e["value"].startswith(m) for m in mounts), e
            assert not [e for e in c["env"] if e["name"] == "SUBRANK_JOIN_TOKEN"], "the token belongs into a file"


def test_the_image_has_every_library_that_the_programs_load():
    if not shutil.which("dpkg-query") or not shutil.which("ldconfig"):
        pytest.skip("SKIP no Debian")
    image = set(re.findall(r"[a-z0-9.+-]+", (DEPLOY / "Containerfile").read_text()))
    cache = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True).stdout
    for program in PROGRAMS.values():
        needed = re.findall(r"NEEDED.*\[(.+)\]", subprocess.run(["readelf", "-d", program], capture_output=True, text=True).stdout)
        assert len(needed) > 5
        for library in needed:
            path = re.search(rf"^\s*{re.escape(library)} .*=> (\S+)", cache, re.M)
            assert path, library
            real = subprocess.run(["readlink", "-f", path[1]], capture_output=True, text=True).stdout.strip()
            owner = subprocess.run(f"dpkg-query -S {real} || dpkg-query -S {real.removeprefix('/usr')} || dpkg-query -S {path[1]}", shell=True,
                                   capture_output=True, text=True).stdout.split(":")[0]
            assert owner in image | {"libc6", "libgcc-s1", "libasan8", "libubsan1"}, f"{program.name} needs {library} of {owner}"


def test_scripts_are_sound():
    for script in (*DEPLOY.glob("*.sh"), *DEPLOY.glob("*/*.sh"), *DEPLOY.glob("slurm/*.sbatch")):
        shell = "bash" if "bash" in script.read_text().splitlines()[0] else "sh"
        assert subprocess.run([shell, "-n", script], capture_output=True).returncode == 0, script
