"""What a part of a program took."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOTE = Path("spent.json")  # in the working folder


@contextmanager
def spent() -> Iterator[None]:
    began, cpu_began = time.perf_counter(), time.process_time()
    yield
    told = {"wall": time.perf_counter() - began, "cpu": time.process_time() - cpu_began}
    NOTE.write_text(json.dumps(told), encoding="utf-8")
