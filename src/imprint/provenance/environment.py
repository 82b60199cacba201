"""The versions, the machine and the commit that a result was made with; sizes of files."""

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "imprint-diffusion",
    "torch",
    "diffusers",
    "transformers",
    "peft",
    "accelerate",
    "pytorch-lightning",
    "hydra-core",
    "omegaconf",
    "wandb",
    "numpy",
    "pillow",
)


def describe() -> dict[str, Any]:
    import torch

    return {
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "machine": {
            "system": platform.platform(),
            "processor": platform.machine(),
            "devices": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        },
        "git": _revision(Path(__file__).parent),
    }


def file_bytes(folder: Path) -> dict[str, int]:
    """The size of every file in and below the folder, by name."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {file.relative_to(folder).as_posix(): file.stat().st_size for file in files}


def folder_bytes(folder: Path) -> int:
    return sum(file_bytes(folder).values())


@cache
def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache
def _revision(folder: Path) -> str | None:
    """The commit of this code at the first call, with "-dirty" after changes; None where it is not a checkout."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
