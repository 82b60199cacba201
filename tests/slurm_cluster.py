"""A SLURM cluster of two nodes, both of them this machine. Everything of it lies in one folder; it listens on the
loopback alone, and needs root, since its programs change to the user of a job."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "scancel")
NODES = ("n1", "n2")
PATIENCE = 30.0  # seconds for it to start

CONFIGURATION = """
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
ReturnToService=2
JobRequeue=1
SchedulerParameters=batch_sched_delay=0,sched_interval=1
{nodes}
PartitionName=main Nodes={names} Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""

# Without accounting there is no sacct, and submitit would wait for ever for a job that was killed.
SACCT = """#!/bin/sh
echo "JobID|State|NodeList"
scontrol show job -o 2>/dev/null | awk '{
  id = array = task = state = nodes = ""
  for (i = 1; i <= NF; i++) {
    split($i, pair, "=")
    if (pair[1] == "JobId") id = pair[2]
    if (pair[1] == "ArrayJobId") array = pair[2]
    if (pair[1] == "ArrayTaskId") task = pair[2]
    if (pair[1] == "JobState") state = pair[2]
    if (pair[1] == "NodeList") nodes = pair[2]
  }
  print (array == "" ? id : array "_" task) "|" state "|" nodes
}'
"""


def why_not() -> str | None:
    """Why there can be no cluster here."""
    if missing := [program for program in PROGRAMS if _found(program) is None]:
        return f"needs {', '.join(missing)}: apt-get install --no-install-recommends slurm-wlm munge"
    return None if os.geteuid() == 0 else "needs root: SLURM's programs change to the user of a job"


@contextmanager
def cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Yields what the environment of a program must have, for which this is its cluster."""
    started = _Cluster(folder)
    try:
        yield started.start()
    finally:
        started.stop()


class _Cluster:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.configuration = folder / "slurm.conf"

    def start(self) -> dict[str, str]:
        (self.folder / "state").mkdir(parents=True)
        self._write_configuration()
        self._start_munge()
        sacct = self.folder / "bin" / "sacct"
        sacct.parent.mkdir()
        sacct.write_text(SACCT)
        sacct.chmod(0o755)
        environment = {
            "SLURM_CONF": str(self.configuration),
            "PATH": os.pathsep.join([str(sacct.parent), os.environ["PATH"], "/usr/sbin"]),
            "USER": getpass.getuser(),
        }
        self._run("slurmctld", "-f", str(self.configuration))
        for node in NODES:
            self._run("slurmd", "-f", str(self.configuration), "-N", node)
        self._wait(environment)
        return environment

    def stop(self) -> None:
        """Jobs that are left end first: who would tell of their end must be there to hear it."""
        environment = {**os.environ, "SLURM_CONF": str(self.configuration)}
        with suppress(subprocess.TimeoutExpired):
            _ask(environment, "scancel", "--user", getpass.getuser())
            _until(lambda: not _ask(environment, "squeue", "--noheader").strip(), 15.0)
        for name in (*(f"slurmd-{node}" for node in NODES), "slurmctld", "munged"):
            with suppress(OSError, ValueError):
                _end(int((self.folder / f"{name}.pid").read_text()))

    def _write_configuration(self) -> None:
        host = socket.gethostname().partition(".")[0]
        controller, *ports = _free_ports(1 + len(NODES))
        nodes = [
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=4 RealMemory=4000 State=UNKNOWN"
            for node, port in zip(NODES, ports, strict=True)
        ]
        text = CONFIGURATION.format(
            host=host, controller=controller, folder=self.folder, nodes="\n".join(nodes), names=",".join(NODES)
        )
        self.configuration.write_text(text)

    def _start_munge(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        files = {name: f"{self.folder}/{ending}" for name, ending in MUNGE.items()}
        self._run("munged", "--force", f"--key-file={key}", *(f"--{name}={file}" for name, file in files.items()))

    def _run(self, program: str, *arguments: str) -> None:
        found = _found(program)
        assert found
        done = subprocess.run([found, *arguments], capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert done.returncode == 0, f"{program}: {done.stderr}"

    def _wait(self, environment: dict[str, str]) -> None:
        whole = {**os.environ, **environment}
        ready = ["idle", str(len(NODES))]
        if not _until(lambda: _ask(whole, "sinfo", "--noheader", "--format=%T %D").split() == ready, PATIENCE):
            logs = "\n".join(file.read_text()[-2000:] for file in self.folder.glob("*.log"))
            raise AssertionError(f"no cluster within {PATIENCE} s\n{logs}")


MUNGE = {
    "socket": "munge.socket",
    "pid-file": "munged.pid",
    "log-file": "munged.log",
    "seed-file": "munge.seed",
}


def _ask(environment: dict[str, str], *command: str) -> str:
    asked = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE)
    return asked.stdout


def _until(come: Callable[[], bool], patience: float) -> bool:
    end = time.monotonic() + patience
    while not come():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def _end(process: int) -> None:
    os.kill(process, signal.SIGTERM)
    if not _until(lambda: not Path(f"/proc/{process}/exe").exists(), 5.0):  # a zombie has none
        os.kill(process, signal.SIGKILL)


def _found(program: str) -> str | None:
    return shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
