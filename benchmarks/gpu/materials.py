"""Models and pictures that several parts share, made when they are first needed."""

from material import prepare
from task import Material

from gpu.part import Part

REHEARSED = {"full": "tiny", "sdxl_full": "sdxl_tiny", "flux_full": "flux_tiny"}


def material_of(part: Part, size: str) -> Material:
    """Of that size, or in a rehearsal of a tiny one."""
    size = REHEARSED.get(size, size) if part.rehearse else size
    return prepare(size, part.work / "material" / size)
