"""What is here: versions, memory, and the rates that everything else is to be read by."""

import importlib
import time
from typing import Any

import torch

from gpu.device import DEVICE, seconds_each, synchronize
from gpu.part import Part

LIBRARIES = (
    "transformers", "diffusers", "peft", "accelerate", "pytorch_lightning", "torchmetrics", "hydra", "omegaconf",
    "pydantic", "matplotlib", "rich", "jinja2", "filelock", "torchao", "bitsandbytes", "torchvision", "wandb", "triton",
    "imprint.cli",
)  # fmt: skip


def run(part: Part) -> None:
    side = 256 if part.rehearse else 8192
    part.item("libraries", libraries)
    part.item("device", device)
    for kind in ("bfloat16", "float16", "float32"):
        part.item(f"products {kind}", lambda kind=kind: products(getattr(torch, kind), side))  # type: ignore[misc]
    part.item("copies", lambda: copies(2**16 if part.rehearse else 2**31))
    part.item("launches", launches)
    part.item("disk", lambda: disk(part, 2**20 if part.rehearse else 2**30))


def libraries() -> dict[str, Any]:
    """Versions, or why one does not import; the seconds of each import, which may have had others' share."""
    found: dict[str, Any] = {}
    for name in LIBRARIES:
        began = time.perf_counter()
        try:
            module = importlib.import_module(name)
        except Exception as error:
            found[name] = f"not here: {type(error).__name__}: {error}"[:300]
            continue
        told = getattr(module, "__version__", "")
        found[name] = f"{told} in {time.perf_counter() - began:.1f} s".strip()
    return found


def device() -> dict[str, Any]:
    found: dict[str, Any] = {
        "torch": torch.__version__,
        "float32 products": torch.get_float32_matmul_precision(),
        "TF32 in convolutions": torch.backends.cudnn.allow_tf32,
    }
    if DEVICE.type != "cuda":
        return found
    about = torch.cuda.get_device_properties(DEVICE)
    free, total = torch.cuda.mem_get_info(DEVICE)
    return {
        **found,
        "name": about.name,
        "capability": f"{about.major}.{about.minor}",
        "multiprocessors": about.multi_processor_count,
        "GB": round(total / 1e9, 1),
        "GB free": round(free / 1e9, 1),
        "CUDA": torch.version.cuda,
        "cuDNN": torch.backends.cudnn.version(),
    }


def products(kind: torch.dtype, side: int) -> dict[str, Any]:
    left, right = (torch.randn(side, side, device=DEVICE).to(kind) for _ in range(2))
    each = seconds_each(lambda: left @ right)
    return {"side": side, "TFLOP/s": round(2 * side**3 / each / 1e12, 2)}


def copies(size: int) -> dict[str, Any]:
    there = torch.empty(size, dtype=torch.uint8, device=DEVICE)
    here = torch.ones_like(there)
    each = seconds_each(lambda: there.copy_(here))
    return {"bytes": size, "GB/s, read and written": round(2 * size / each / 1e9, 1)}


def launches() -> dict[str, Any]:
    """What it takes to ask for an operation: below so much work, a step is bound by its program."""
    small = torch.zeros(8, device=DEVICE)
    synchronize()
    began = time.perf_counter()
    for _ in range(2000):
        small.add_(1.0)
    asked = time.perf_counter() - began
    synchronize()
    return {"microseconds to ask for one": round(asked / 2000 * 1e6, 2)}


def disk(part: Part, size: int) -> dict[str, Any]:
    file = part.scratch / "disk"
    block = bytes(2**20)
    began = time.perf_counter()
    with file.open("wb") as open_file:
        for _ in range(size // len(block)):
            open_file.write(block)
    written = time.perf_counter() - began
    began = time.perf_counter()
    file.read_bytes()
    read = time.perf_counter() - began
    file.unlink()
    return {"bytes": size, "written, GB/s": round(size / written / 1e9, 2), "read, GB/s": round(size / read / 1e9, 2)}
