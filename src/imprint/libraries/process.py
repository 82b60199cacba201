"""Settings of the whole process: verbosity of libraries, garbage collector, denormal numbers, logging of EXIF tags.

A program calls these at its start (imprint.startup, a benchmark's worker), and importing `imprint.data` calls
`hide_metadata_of_pictures`. Set elsewhere, and only for a while: `HYDRA_FULL_ERROR` and `sys.argv` (cli.py,
lightning.py), `WANDB_DATA_DIR` (wandb.py), signal handlers while runs train in a batch
(batched_runs/pass_scheduler.py); and, in worker processes, `CUDA_VISIBLE_DEVICES` (launchers/processes.py).
For good, `WANDB_ERROR_REPORTING` (wandb.py).

Tested with torch 2.13.0, pytorch-lightning 2.6.6 and pillow 13.0.0.
"""

import ctypes
import gc
import logging
import mmap
import os
import sys
import warnings
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

YOUNG_THRESHOLD = 30_000  # new objects between two collections of the youngest generation
OLD_THRESHOLD = 1_000_000  # collections of a younger generation before one of the older: never

MAPPINGS = Path("/proc/self/smaps")  # of Linux: what is mapped into this process's memory
DONTNEED = 4  # of Linux's madvise


def quiet_libraries() -> None:
    """Hides the libraries' messages except errors.

    Must be called before transformers and diffusers are imported.
    """
    quiet_before_import()
    import pytorch_lightning  # noqa: F401 - which sets its own level when it is imported

    quiet_lightning()


def quiet_before_import() -> None:
    """What libraries read while they are imported. Imports none of them."""
    # torch sets this itself at the end of its import. Interrupted before, it would print statistics when it ends.
    logging.getLogger("torch").setLevel(logging.WARNING)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
    # These tell of caches, as they are imported and at the end, and of every request to the hub.
    for name in ("matplotlib", "torch._subclasses", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Of kernels that this machine has not, as soon as they are installed: peft and diffusers import them to see.
    for name in ("torchao", "bitsandbytes", "torch.utils._pytree"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("filelock").setLevel(logging.WARNING)
    # These warn of things that are done on purpose: modes, loaders, the checkpoint's folder.
    warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning_fabric)\b")
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
    # Of every block whose weights devices share: its output must not be changed in place. Tests of all families hold
    # that none is.
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view tensor")


def quiet_lightning() -> None:
    """Lightning sets its own level when it is imported; before, there is nothing to be done."""
    if "pytorch_lightning" in sys.modules:
        for name in ("pytorch_lightning", "lightning.fabric", "lightning_fabric"):
            logging.getLogger(name).setLevel(logging.WARNING)


@contextmanager
def quiet_model_libraries() -> Iterator[None]:
    """While models are loaded and saved: no progress bars, and no messages but errors."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    libraries = (diffusers_logging, transformers_logging)
    before = [(library.get_verbosity(), library.is_progress_bar_enabled()) for library in libraries]
    for library in libraries:
        library.set_verbosity_error()
        library.disable_progress_bar()
    try:
        yield
    finally:
        for library, (verbosity, progress) in zip(libraries, before, strict=True):
            library.set_verbosity(verbosity)
            if progress:
                library.enable_progress_bar()


@contextmanager
def little_garbage_collection() -> Iterator[None]:
    """For imports: collects only the youngest generation, and freezes all objects that exist at the end.

    A training's imports make half a million objects that live as long as the program. There is garbage only among the
    newest, but every full collection, during the imports or later, would traverse all of them.
    """
    before = gc.get_threshold()
    gc.set_threshold(YOUNG_THRESHOLD, OLD_THRESHOLD, OLD_THRESHOLD)
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(*before)


@contextmanager
def without_denormals() -> Iterator[None]:
    """`compute_without_denormals`, for as long as another program's thread computes for imprint."""
    import torch

    computes_with_them = (torch.tensor([1e-40]) * 1).item() > 0
    compute_without_denormals()
    try:
        yield
    finally:
        if computes_with_them:
            torch.set_flush_denormal(False)


def compute_without_denormals() -> None:
    """Flushes denormal numbers (below 1e-38) to zero, in this thread and those that it starts, if torch is loaded. The
    gradients of a sharp attention have many, and they take a processor a hundred times as long as others."""
    if "torch" in sys.modules:
        import torch

        torch.set_flush_denormal(True)


def hide_metadata_of_pictures() -> None:
    """At the level of debug messages, Pillow logs every EXIF tag, among them where a photo was taken."""
    logging.getLogger("PIL").setLevel(logging.INFO)


def return_freed_memory() -> None:
    """To the system. glibc keeps what it may need again: after a network of a gigabyte, most of a gigabyte."""
    with suppress(OSError, AttributeError):  # another system's C library, which has no such function
        ctypes.CDLL(None).malloc_trim(0)


class MappedFiles:
    """The files that are mapped into this process's memory, as far as they were not written to there. Their pages count
    as the process's from when they are read until they are forgotten, and are read again if they are needed again. On
    other systems than Linux there are none."""

    def __init__(self) -> None:
        unchanged = list(_unchanged_mappings())
        self._begins = [begin for begin, _ in unchanged]
        self._ends = [end for _, end in unchanged]
        self._advise = ctypes.CDLL(None).madvise if unchanged else None

    def forget(self, address: int, size: int) -> None:
        """The pages that lie in this memory as a whole, where it is a file's."""
        place = bisect_right(self._begins, address) - 1
        if self._advise is None or place < 0 or address + size > self._ends[place]:
            return
        begin = -(-address // mmap.PAGESIZE) * mmap.PAGESIZE
        end = (address + size) // mmap.PAGESIZE * mmap.PAGESIZE
        if begin < end:
            self._advise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), DONTNEED)


def _unchanged_mappings() -> Iterator[tuple[int, int]]:
    """Where each begins and ends, in ascending order."""
    begin, end, is_file = 0, 0, False
    try:
        lines = MAPPINGS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        first, *others = line.split()
        if not first.endswith(":"):  # begin-end permissions offset device inode path
            begin, end = (int(address, 16) for address in first.split("-"))
            is_file = int(others[3]) != 0
        elif first == "Anonymous:" and is_file and int(others[0]) == 0:  # kB that differ from the file
            yield begin, end
