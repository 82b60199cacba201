"""A script of the peer's as it is, in an environment that may lack torchvision.

python peer_script.py path/to/script.py [its arguments]
"""

import runpy
import sys
from importlib.util import find_spec
from pathlib import Path


def main(script: str, arguments: list[str]) -> None:
    if find_spec("torchvision") is None:
        from stand_in import stand_in_for_torchvision

        _let_libraries_look_for_torchvision()
        stand_in_for_torchvision()
    sys.argv = [script, *arguments]
    sys.path[0] = str(Path(script).parent)  # as for a script that is started by itself
    runpy.run_path(script, run_name="__main__")


def _let_libraries_look_for_torchvision() -> None:
    """They do so once and remember. Afterwards a stand-in is seen by the script alone."""
    import diffusers.utils
    import transformers.utils

    diffusers.utils.is_torchvision_available()
    transformers.utils.is_torchvision_available()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
