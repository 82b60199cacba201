"""Devices and memory."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import torch

from imprint.training.memory import free_memory
from imprint.verbs.doctor.findings import Finding, size

DRIVERS = (Path("/proc/driver/nvidia/version"), Path("/dev/nvidiactl"))
GPU_WHEELS = "https://pytorch.org/get-started/locally"


def devices() -> Iterator[Finding]:
    build = (torch.version.cuda and f"CUDA {torch.version.cuda}") or (torch.version.hip and f"ROCm {torch.version.hip}")
    yield Finding("Devices", "torch", f"{torch.__version__}, made for {build or 'the CPU'}")
    for index in range(torch.cuda.device_count()):
        yield _gpu(index)
    if not torch.cuda.is_available() and _has_driver():
        why = "torch does not see it: the driver may be older than torch asks" if build else "this torch cannot use it"
        remedy = f"{GPU_WHEELS} has the command that installs another"
        yield Finding("Devices", "NVIDIA GPU", f"there is a driver, but {why}", "wrong", remedy)
    if torch.backends.mps.is_available():
        yield Finding("Devices", "Apple GPU", "trainer.accelerator=mps")
    yield Finding("Devices", "CPU", f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}")


def memory() -> Iterator[Finding]:
    free = free_memory(torch.device("cpu"))
    yield Finding("Memory", "of the machine", f"{size(free)} free")


def _gpu(index: int) -> Finding:
    try:
        about = torch.cuda.get_device_properties(index)
        free, total = torch.cuda.mem_get_info(index)
    except RuntimeError as error:
        remedy = "nvidia-smi says who uses it"
        return Finding("Devices", f"cuda:{index}", f"cannot be used ({str(error).splitlines()[0]})", "wrong", remedy)
    bf16 = "bf16" if about.major >= 8 else "no bf16: take hparams.precision=16-mixed"
    return Finding("Devices", f"cuda:{index}", f"{about.name}, {size(free)} of {size(total)} free, {bf16}")


def _has_driver() -> bool:
    return shutil.which("nvidia-smi") is not None or any(file.exists() for file in DRIVERS)
