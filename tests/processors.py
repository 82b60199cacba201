"""Runs the tests that compare numbers (`-m numeric`) as on several processors: `make test-numerics`.

Kernels are chosen by what a processor has: PyTorch's own, oneDNN's for convolutions, MKL's for products of matrices.
Each setting takes something away from one of them. What this processor lacks anyhow is left out.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

TESTS = Path(__file__).parent
WIDE = {"AVX2", "AVX512"}
SETTINGS = [
    "",  # as it is
    "ATEN_CPU_CAPABILITY=default",
    *(["ATEN_CPU_CAPABILITY=avx2"] if torch.backends.cpu.get_cpu_capability() in WIDE else []),  # else it would crash
    "ONEDNN_MAX_CPU_ISA=SSE41",
    "ONEDNN_MAX_CPU_ISA=AVX2",
    "MKL_CBWR=COMPATIBLE",
    "MKL_CBWR=AVX2",
]
OF_PROCESSORS = {setting.partition("=")[0] for setting in SETTINGS}


def passed(setting: str, files: list[str]) -> bool:
    name, _, value = setting.partition("=")
    given = {key: own for key, own in os.environ.items() if key not in OF_PROCESSORS}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "numeric", "-p", "no:cacheprovider", "--tb=short", *files],
        env={**given, "OMP_NUM_THREADS": "1", **({name: value} if name else {})},
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    last = (run.stdout.strip() or run.stderr.strip()).splitlines()[-1]
    print(f"{setting or 'as it is'}: {last}", flush=True)
    if run.returncode:
        print(run.stdout, run.stderr, flush=True)
    return run.returncode == 0


def main() -> int:
    files = [str(file) for file in sorted(TESTS.rglob("test_*.py")) if "mark.numeric" in file.read_text("utf-8")]
    with ThreadPoolExecutor(max(1, len(os.sched_getaffinity(0)))) as pool:
        return 0 if all([*pool.map(lambda setting: passed(setting, files), SETTINGS)]) else 1


if __name__ == "__main__":
    sys.exit(main())
