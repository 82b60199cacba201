"""What a measurement was made with: machine, software, and which state of this code."""

import hashlib
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

from imprint.provenance.environment import describe

CPU_INFO = Path("/proc/cpuinfo")
ROOT = Path(__file__).parents[1]
MEASURED = ("src", "conf", "benchmarks", ":!benchmarks/results", ":!benchmarks/*.md")  # what a result depends on


def circumstances() -> dict[str, Any]:
    """Without names of hosts or paths."""
    about = describe()
    return {
        "versions": about["versions"],
        "code": code(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "devices": about["machine"]["devices"],
    }


def code() -> str | None:
    """The commit, with a hash of what was changed since, results aside; None where it is not a checkout."""
    try:
        commit = _git("log", "-1", "--format=%H", "--", *MEASURED).strip()
        changes = _git("diff", "HEAD", "--", *MEASURED)
        new = _git("ls-files", "--others", "--exclude-standard", "--", *MEASURED).splitlines()
    except (OSError, subprocess.SubprocessError):
        return None
    changes += "".join(f"{name}\n{(ROOT / name).read_bytes().hex()}" for name in new)
    return commit + (f"-{hashlib.sha256(changes.encode()).hexdigest()[:8]}" if changes else "")


def load() -> float | None:
    """How many processes wanted a core in the last minute, this one included."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout


def _processor() -> str:
    if CPU_INFO.is_file():
        for line in CPU_INFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
