"""What is set for the whole process, all of it: quiet libraries, garbage, tiny numbers, what is logged of photographs.

A program calls these at its start (imprint.startup, a benchmark's worker), and importing `imprint.data` calls
`hide_metadata_of_pictures`. Only for a while, and where they are needed, others set: `HYDRA_FULL_ERROR` and `sys.argv`
(cli.py, lightning.py), `WANDB_DATA_DIR` (wandb.py), the signals that end a group
(batched_runs/pass_scheduler.py); and in worker processes of their own, `CUDA_VISIBLE_DEVICES` (launchers/processes.py)
and torch's threads (benchmark/crew.py).

Seen with torch 2.13.0, pytorch-lightning 2.6.6 and pillow 13.0.0.
"""

import gc
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 30_000  # new objects between two searches among them
NEVER = 1_000_000  # searches among the young before older objects are searched, too


def quiet_libraries() -> None:
    """What the libraries say of themselves is kept from the terminal; their errors are not.

    Must be called before transformers and diffusers are imported: they read these variables then.
    """
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
    import pytorch_lightning  # sets its own level when it is imported

    for name in (pytorch_lightning.__name__, "lightning.fabric", "lightning_fabric", "filelock"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # What these warn of is settled here on purpose: modes, loaders, the checkpoint's folder.
    warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning_fabric)\b")
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")


@contextmanager
def little_garbage_collection() -> Iterator[None]:
    """For imports. What is there at the end is never searched again.

    A training's imports make half a million objects that live as long as the program. Only among the newest is there
    garbage to be found, but every full search, while they are made, later, or at the end, would look at all of them.
    """
    before = gc.get_threshold()
    gc.set_threshold(YOUNG, NEVER, NEVER)
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(*before)


def compute_without_denormals() -> None:
    """Numbers below 1e-38, of which a sharp attention's gradient is full, cost a processor a hundred times as much as
    others. They become zero, in this thread and in those that it starts. Nothing to do where torch is not loaded."""
    if "torch" in sys.modules:
        import torch

        torch.set_flush_denormal(True)


def hide_metadata_of_pictures() -> None:
    """When the root logger listens to debug messages, Pillow tells it every EXIF tag, among them where the photo was
    taken."""
    logging.getLogger("PIL").setLevel(logging.INFO)
