"""Models of known sizes, with random weights where speed is all that is asked of them."""

from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline
from hollow import write_hollow
from layouts import LAYOUTS
from pipelines.tokenizers import byte_tokenizer

from imprint.locations import locate

__all__ = ["byte_tokenizer", "model_of"]

MINIATURE = "pkg://imprint.miniature/weights"
HALVED = ("sdxl_full",)  # sizes whose files have two bytes a number: they are copied, read and kept a lot
HOLLOW = ("flux_full",)  # and those that memory alone is asked of


def model_of(size: str, folder: Path) -> tuple[Path, str]:
    """A pipeline folder of that size, written to `folder` unless it is there, and what its weights are.

    Weights are float32: the miniature's own are float16, and some of the peer's scripts would train in what they find.
    Where there is a GPU, it makes the random ones, which are others than a CPU's.
    """
    has_miniature = size == "mini" and (locate(MINIATURE) / "model_index.json").is_file()
    what = "the built-in miniature" if has_miniature else "zeros" if size in HOLLOW else "random"
    if (folder / "model_index.json").is_file():
        return folder, what
    if size in HOLLOW:
        with torch.device("meta"):
            pipeline: Any = LAYOUTS[size].pipeline()
        write_hollow(pipeline, folder, torch.bfloat16)
        return folder, what
    torch.manual_seed(0)
    if has_miniature:
        pipeline = StableDiffusionPipeline.from_pretrained(locate(MINIATURE), dtype=torch.float32)
    else:
        with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
            pipeline = LAYOUTS[size].pipeline()
    if size in HALVED:
        pipeline.to(dtype=torch.bfloat16)
    pipeline.to("cpu").save_pretrained(folder)
    return folder, what
