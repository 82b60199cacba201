"""What a result's files hold: read whole, or refused in one line that names the file."""

from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from imprint.file_contents import DAMAGED, refuse
from imprint.manifest import REMEDY
from imprint.models.finite import not_finite


def read_weights(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a safetensors file, and its metadata. Raises UserError where they are not all there, or are no
    numbers."""
    if not file.is_file():
        refuse(file, "there is no such file", REMEDY)
    try:
        with safe_open(file, framework="pt") as content:
            about = dict(content.metadata() or {})
            tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118 - it is no mapping
    except (SafetensorError, OSError, ValueError, TypeError, RuntimeError) as error:
        refuse(file, DAMAGED, REMEDY, error)
    if spoilt := not_finite(tensors):
        refuse(file, f"{spoilt} holds values that are no numbers, or infinite", REMEDY)
    return tensors, about
