"""The program in its first moments."""

import os
import subprocess
import sys

# Interrupts the import of a module, once something is so.
INTERRUPTING = """
import logging, sys
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name.startswith({name!r}) and {once}:
            sys.meta_path.remove(self)
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupt())
"""
THE_PROGRAM = "sys.argv[1:] = ['train']\nfrom imprint.__main__ import main\nmain()"
A_TRAINING = """
logging.basicConfig(level=logging.INFO)
from imprint.startup import imported
try:
    imported("imprint.verbs.train")
except KeyboardInterrupt:
    print("interrupted")
"""


def interrupted(program: str, *, name: str, once: str) -> "subprocess.CompletedProcess[str]":
    script = INTERRUPTING.format(name=name, once=once) + program
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


def test_an_interruption_while_it_is_imported_is_one_line() -> None:
    done = interrupted(THE_PROGRAM, name="hydra", once="'imprint.cli' in sys.modules")
    assert done.returncode == 130
    assert done.stderr == "\nimprint: interrupted. Nothing was begun.\n"


def test_a_library_that_is_interrupted_while_it_is_imported_prints_no_statistics() -> None:
    loaded = "hasattr(sys.modules.get('torch._subclasses.fake_tensor'), 'dump_cache_stats')"
    done = interrupted(A_TRAINING, name="torch", once=loaded)
    assert done.stdout == "interrupted\n"
    assert done.stderr == ""


def test_a_reader_that_has_had_enough_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "imprint", "--help"], stdout=closed, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")
