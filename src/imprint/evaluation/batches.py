"""How many pictures are drawn in one batch."""

PIXELS = 8 * 512**2  # for a GPU of the usual size to hold; not measured on one
MOST = 32  # small ones, with guidance 64 samples: a CPU's core is no faster with more


def pictures_at_once(asked: int | None, height: int, width: int) -> int:
    """What is asked for; else as many as come to so many pixels. It changes memory and speed alone."""
    return asked or max(1, min(MOST, PIXELS // (height * width)))
