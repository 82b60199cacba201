"""What a measurement was made with, and the files that keep it."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from imprint.provenance import describe

CPU_INFO = Path("/proc/cpuinfo")
COLUMNS = (
    "case",
    "imprint, ms a step",
    "plain loop, ms",
    "times as fast",
    "in single rounds",
    "peak MB",
    "plain loop, MB",
)


def circumstances() -> dict[str, Any]:
    """The machine and the software, without names of hosts or paths."""
    about = describe()
    return {
        "versions": about["versions"],
        "git": about["git"],
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "devices": about["machine"]["devices"],
    }


def load() -> float | None:
    """How many processes wanted a core in the last minute, this one included."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def table(result: Mapping[str, Any]) -> str:
    """The same as Markdown."""
    about = result["circumstances"]
    versions = ", ".join(f"{name} {about['versions'][name]}" for name in ("torch", "diffusers", "transformers"))
    facts = [
        f"{', '.join([about['processor'], *about['devices']])}; {about['threads']} of {about['cores']} cores",
        f"processes that wanted a core: {' to '.join(map(str, result['load']))}",
        versions,
        f"weights: {result['weights']}",
        f"rounds: {result['rounds']}, of {result['steps']} steps for each side",
    ]
    lines = [
        f"# A step of DreamBooth, {result['size']} ({result['resolution']} px)",
        "",
        f"`{result['command']}`",
        "",
        *(f"- {fact}" for fact in [*facts, result["note"]] if fact),
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---" * len(COLUMNS) + "|",
        *(_row(case) for case in result["cases"]),
        "",
    ]
    return "\n".join(lines)


def write(result: Mapping[str, Any], folder: Path, name: str) -> Sequence[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{name}.json", folder / f"{name}.md"]
    files[0].write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    files[1].write_text(table(result), encoding="utf-8")
    return files


def _row(case: Mapping[str, Any]) -> str:
    imprint, plain, ratio = case["imprint"], case["plain"], case["ratio"]
    return (
        f"| {case['case']} | {imprint['seconds'] * 1000:.1f} | {plain['seconds'] * 1000:.1f} "
        f"| **{ratio['median']:.2f}** | {ratio['lowest']:.2f} to {ratio['highest']:.2f} "
        f"| {imprint['peak_bytes'] / 1e6:.0f} | {plain['peak_bytes'] / 1e6:.0f} |"
    )


def _processor() -> str:
    if CPU_INFO.is_file():
        for line in CPU_INFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
