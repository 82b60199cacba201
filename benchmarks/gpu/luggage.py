"""What travels to a machine without network: the program, the miniature it trains, and wheels.

pip downloads the wheels for that machine's Python; what has none is built here, if it is made of Python alone.
"""

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from revision import COMMIT, code

LISTED = "benchmarks/on_gpu.txt"
WHEELS = "wheels"  # folder of the luggage
TAKEN = ("src", "conf", "benchmarks", "pyproject.toml", "LICENSE")
LEFT = ("benchmarks/results", "src/imprint/miniature/flow_weights", "src/imprint/miniature/evaluators")
PEERS = ("examples/dreambooth", "examples/textual_inversion")  # folders of the peer's scripts
# Of wheels: libraries for devices other than those of CUDA 13, which are nine tenths of bitsandbytes.
UNUSED = re.compile(r"bitsandbytes/libbitsandbytes_(rocm|xpu|cuda1[12])")
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


def pack(root: Path, folder: Path, *, peer: Path | None, python: str) -> Iterator[str]:
    """Writes it to a folder that must be new, and tells of it line by line. Raises SystemExit where it cannot."""
    if folder.exists() and any(folder.iterdir()):
        sys.exit(f"--pack={folder}: there is something; name a new folder")
    for name in _tracked(root):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, target)
    (folder / COMMIT).write_text(f"{code() or 'unknown'}\n", encoding="utf-8")
    yield f"program: {_megabytes(folder):.1f} MB"
    for wheel in _wheels(root / LISTED, folder / WHEELS, python):
        yield f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB"
    told = ""
    if peer is not None:
        for script in sorted(file for name in PEERS for file in (peer / name).glob("*.py")):
            target = folder / "peer" / script.relative_to(peer)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(script, target)
        told = " --peer peer"
    yield f"{folder}: {_megabytes(folder):.1f} MB in all; there: python benchmarks/on_gpu.py --out results{told}"


def unpack(wheels: Path, site: Path) -> Path:
    """A folder for Python's path with what is in the wheels."""
    done = site / "unpacked"
    if not done.is_file():
        site.mkdir(parents=True, exist_ok=True)
        for wheel in sorted(wheels.glob("*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(site)
        done.touch()
    return site


def _tracked(root: Path) -> list[str]:
    """What a checkout has of it, with what is new there; caches and results of runs are not among it."""
    command = ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard", "--", *TAKEN]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        sys.exit(f"{root}: this is no checkout, or git is not here; what belongs to the program is not known")
    return [name for name in listed if not name.startswith(LEFT) and (root / name).is_file()]


def _wheels(listed: Path, folder: Path, python: str) -> list[Path]:
    folder.mkdir(parents=True)
    lines = (line.partition("#")[0].strip() for line in listed.read_text(encoding="utf-8").splitlines())
    pip = [sys.executable, "-m", "pip"]
    for requirement in filter(None, lines):
        wanted = ["--only-binary=:all:", f"--python-version={python}", "--implementation=cp"]
        wanted += [f"--platform={platform}" for platform in PLATFORMS]
        download = [*pip, "download", "--quiet", "--no-deps", *wanted, f"--dest={folder}", requirement]
        build = [*pip, "wheel", "--quiet", "--no-deps", f"--wheel-dir={folder}", requirement]
        tries = [subprocess.run(download, capture_output=True, text=True, check=False)]
        if tries[0].returncode != 0:
            tries.append(subprocess.run(build, capture_output=True, text=True, check=False))
        if tries[-1].returncode != 0:
            sys.exit(f"{requirement}: pip has no wheel of it for Python {python}. {tries[0].stderr[-500:]}")
    wheels = sorted(folder.glob("*.whl"))
    for wheel in wheels:
        _lighten(wheel)
    return wheels


def _lighten(wheel: Path) -> None:
    """Takes out what is not used."""
    with zipfile.ZipFile(wheel) as archive:
        kept = [name for name in archive.namelist() if not UNUSED.match(name)]
        if len(kept) == len(archive.namelist()):
            return
        lighter = wheel.with_suffix(".part")
        with zipfile.ZipFile(lighter, "w", zipfile.ZIP_DEFLATED) as written:
            for name in kept:
                written.writestr(name, archive.read(name))
    lighter.replace(wheel)


def _megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
