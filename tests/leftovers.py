"""What a program that was killed leaves behind."""

from pathlib import Path

from imprint.liveness import LOCK


def leave_half_of(path: Path) -> Path:
    """As if the program had been killed while it wrote `path`."""
    folder = path.parent / f".{path.name}.k1ll3d_0.partial"
    folder.mkdir(parents=True)
    (folder / LOCK).touch()
    (folder / f"content{path.suffix}").write_bytes(b"half")
    return folder


def left_in(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.partial"))
