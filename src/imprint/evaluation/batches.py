"""How many pictures are drawn in one batch."""

PIXELS = 8 * 512**2  # a batch of more is no faster on the devices that were measured, and takes more memory
MOST = 32


def pictures_at_once(asked: int | None, height: int, width: int) -> int:
    """What is asked for; else as many as come to so many pixels. It changes memory and speed alone."""
    return asked or max(1, min(MOST, PIXELS // (height * width)))
