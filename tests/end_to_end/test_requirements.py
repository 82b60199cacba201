"""What a user must install, and what not."""

import subprocess
import sys

ABSENT = "import sys; sys.modules['torchvision'] = None"
VERBS = "from imprint.verbs import train, generate, export, report; import imprint.models.families.sd"


def test_torchvision_is_not_needed() -> None:
    """Its versions are bound to those of torch, and a mismatch breaks the import of everything."""
    done = subprocess.run([sys.executable, "-c", f"{ABSENT}; {VERBS}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
