"""Whether there is a screen to show a page on."""

import os
import sys


def has_screen() -> bool:
    """Without one, a text browser would be opened in the terminal, and block."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
