"""Numbers as text: durations, sizes, scores, p-values."""

from imprint.evaluation.statistics.intervals import Interval
from imprint.tables.table import UNKNOWN

MINUS = "\N{MINUS SIGN}"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return UNKNOWN
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def memory(size: float | None) -> str:
    return UNKNOWN if size is None else f"{size / 2**30:.1f} GiB"


def size(count: float | None) -> str:
    """Bytes of a file."""
    if count is None:
        return UNKNOWN
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count:.0f} B"


def quantity(count: float | None) -> str:
    """How many: 12,345 or 12.3 million."""
    if count is None:
        return UNKNOWN
    return f"{count / 1e6:.1f} million" if count >= 1e6 else f"{count:,.0f}"


def score(value: float) -> str:
    """Three decimals, or more for small values."""
    if value == 0 or abs(value) >= 0.01:
        return signed(f"{value:.{1 if abs(value) >= 100 else 2 if abs(value) >= 10 else 3}f}")
    return signed(small(value) if abs(value) < 0.001 else f"{value:.4f}")


def small(value: float, sign: str = "") -> str:
    """Two digits of a number below 0.001; powers of ten only where the noughts could not be counted."""
    return f"{value:{sign}.{6 if abs(value) >= 1e-5 else 7}f}" if abs(value) >= 1e-6 else f"{value:{sign}.2g}"


def probability(value: float) -> str:
    return "< .001" if value < 0.001 else f"{value:.3f}".lstrip("0") if value < 1 else "1"


def signed(text: str) -> str:
    """With a minus sign in place of a hyphen."""
    return text.replace("-", MINUS, 1) if text.startswith("-") else text


def plus(value: float, decimals: int = 3) -> str:
    """A difference: with its sign."""
    text = f"{value:+.{decimals}f}" if abs(value) >= 0.01 or value == 0 or decimals < 3 else small(value, "+")
    return signed(text)


def bounds(interval: Interval | None) -> str:
    return "" if interval is None else f"[{score(interval.low)}, {score(interval.high)}]"
