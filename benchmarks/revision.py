"""Which state of this code it is. Nothing but Python's own library is needed to ask."""

import hashlib
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMIT = "COMMIT"  # a file that luggage has in place of a repository
MEASURED = ("src", "conf", "benchmarks", ":!benchmarks/results", ":!benchmarks/*.md")  # what a result depends on


def code() -> str | None:
    """The commit, with a hash of what was changed since, results aside; None where it is not a checkout."""
    if (ROOT / COMMIT).is_file():
        return (ROOT / COMMIT).read_text(encoding="utf-8").strip()
    try:
        commit = _git("log", "-1", "--format=%H", "--", *MEASURED).strip()
        changes = _git("diff", "HEAD", "--", *MEASURED)
        new = _git("ls-files", "--others", "--exclude-standard", "--", *MEASURED).splitlines()
    except (OSError, subprocess.SubprocessError):
        return None
    changes += "".join(f"{name}\n{(ROOT / name).read_bytes().hex()}" for name in new)
    return commit + (f"-{hashlib.sha256(changes.encode()).hexdigest()[:8]}" if changes else "")


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
