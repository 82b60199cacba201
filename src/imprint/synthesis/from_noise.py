"""synthesis=from_noise: prompts alone, drawn with what was taught."""

from imprint.kinds import of_kind
from imprint.synthesis.base import Synthesis
from imprint.synthesis.prompts import Prompts


@of_kind("synthesis/from_noise")
class FromNoise(Synthesis):
    name = "from_noise"

    def __init__(self, *, prompts: Prompts) -> None:
        self.prompts = prompts
