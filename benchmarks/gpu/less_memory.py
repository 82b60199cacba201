"""imprint, with so many GB of the GPU left to it: python less_memory.py GB [arguments of imprint]"""

import runpy
import sys

import torch


def main(left: int, arguments: list[str]) -> None:
    held = None
    if left and torch.cuda.is_available():
        free, _ = torch.cuda.mem_get_info()
        if free > left * 10**9:
            held = torch.empty(free - left * 10**9, dtype=torch.uint8, device="cuda")
    sys.argv = ["imprint", *arguments]
    runpy.run_module("imprint.cli", run_name="__main__", alter_sys=True)
    del held


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
