"""What the libraries say of themselves is kept from the terminal; their errors are not."""

import logging
import os
import warnings


def quiet_libraries() -> None:
    """Must be called before transformers and diffusers are imported: they read these variables then."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
    import pytorch_lightning  # sets its own level when it is imported

    for name in (pytorch_lightning.__name__, "lightning.fabric", "lightning_fabric", "filelock"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # What these warn of is settled here on purpose: modes, loaders, the checkpoint's folder.
    warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning_fabric)\b")
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
