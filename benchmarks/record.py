"""What a measurement was made with: machine, software, and which state of this code."""

import os
import platform
from pathlib import Path
from typing import Any

import torch
from revision import code

from imprint.provenance.environment import describe

CPU_INFO = Path("/proc/cpuinfo")


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


def load() -> float | None:
    """How many processes wanted a core in the last minute, this one included."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def _processor() -> str:
    if CPU_INFO.is_file():
        for line in CPU_INFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
