"""Suggestions for misspelt names."""

from collections.abc import Iterable
from difflib import get_close_matches

SHORT_LIST = 12


def nearest(name: str, known: Iterable[str]) -> str:
    """The closest of the known names; all of them if they are few and none is close."""
    known = sorted(known)
    close = get_close_matches(name, known, n=3, cutoff=0.5)
    if not close:  # a key without its group: lr for method.lr
        close = [candidate for candidate in known if candidate.rpartition(".")[2] == name.rpartition(".")[2]][:3]
    if close:
        return f"did you mean {' or '.join(close)}?"
    if len(known) <= SHORT_LIST:
        return f"there are: {', '.join(known)}."
    return "see --cfg job for all of them."
