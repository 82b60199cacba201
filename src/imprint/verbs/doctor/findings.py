"""What imprint doctor says of one thing."""

from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """`state` is note for what only some need; the remedy is a command or a setting, where there is one."""

    area: str
    name: str
    said: str
    state: Literal["ok", "note", "wrong"] = "ok"
    remedy: str = ""


def size(count: int | None) -> str:
    """Of so many bytes."""
    if count is None:
        return "unknown"
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
