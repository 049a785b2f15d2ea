"""A Slurm cluster of one node on 127.0.0.1, in a directory of its own: munged, slurmctld, slurmd, no database."""
import os
import pathlib
import shutil
import socket
import subprocess
import time

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel")


def missing():
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    return [p for p in NEEDED if not shutil.which(p, path=path)]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, probe, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = probe()
        if got:
            return got
        time.sleep(0.1)
    raise TimeoutError(f"no {what} within {seconds} s")


class Cluster:
    """Start with `with Cluster(directory) as c`; c.run(["sbatch", ...]) is a client command of this cluster."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.env = dict(os.environ, SLURM_CONF=str(self.dir / "slurm.conf"),
                        PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
        self.daemons = []

    def start(self, *argv):
        log = open(self.dir / f"{argv[0]}.out", "wb")
        self.daemons.append(subprocess.Popen(argv, env=self.env, stdout=log, stderr=log))

    def configure(self):
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        host = socket.gethostname().split(".")[0]
        (self.dir / "state").mkdir()
        (self.dir / "spool").mkdir()
        (self.dir / "slurm.conf").write_text(f"""
ClusterName=subrank
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={free_port()}
SlurmdPort={free_port()}
AuthType=auth/munge
AuthInfo=socket={self.dir}/munge.sock
CredType=cred/munge
StateSaveLocation={self.dir}/state
SlurmdSpoolDir={self.dir}/spool
SlurmctldPidFile={self.dir}/slurmctld.pid
SlurmdPidFile={self.dir}/slurmd.pid
SlurmctldLogFile={self.dir}/slurmctld.log
SlurmdLogFile={self.dir}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,bf_interval=1,sched_interval=2
KillWait=20
MinJobAge=300
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=YES
""")

    def __enter__(self):
        try:
            self.dir.chmod(0o755)
            key = self.dir / "munge.key"
            key.write_bytes(os.urandom(128))
            key.chmod(0o600)
            self.configure()
            self.start("munged", "--foreground", "--force", f"--key-file={key}", f"--socket={self.dir}/munge.sock",
                       f"--pid-file={self.dir}/munged.pid", f"--seed-file={self.dir}/munged.seed",
                       f"--log-file={self.dir}/munged.log")
            wait_for("munge socket", (self.dir / "munge.sock").exists)
            self.start("slurmctld", "-D", "-f", self.env["SLURM_CONF"])
            self.start("slurmd", "-D", "-f", self.env["SLURM_CONF"])
            wait_for("idle node", lambda: "idle" in self.run(["sinfo", "-h", "-o", "%T"], check=False), 60)
        except BaseException:
            self.__exit__()
            raise
        return self

    def run(self, argv, check=True, **env):
        done = subprocess.run(argv, env=dict(self.env, **env), capture_output=True, text=True, timeout=30)
        if check and done.returncode:
            raise RuntimeError(f"{argv}: {done.stderr}\n{self.logs()}")
        return done.stdout

    def logs(self):
        return "\n".join(f"== {p.name}\n" + "\n".join(p.read_text(errors="replace").splitlines()[-15:])
                         for p in sorted(self.dir.glob("*.log")))

    def __exit__(self, *_):
        for p in reversed(self.daemons):
            p.terminate()
        for p in reversed(self.daemons):
            try:
                p.wait(15)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
