"""filter=size: pictures whose subject is too small or fills them are rejected, where a mask says how large it is."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from imprint.data.decoding import BadPicture, decode_mask, read
from imprint.errors import PictureError
from imprint.filters.base import Candidate, Context, Filter, Verdict, Verdicts
from imprint.kinds import of_kind

Area = Annotated[float, Ge(0), Le(1)]
WHITE = 255


@of_kind("filter/size")
class Size(Filter):
    """By the share of the picture that its mask covers. A picture without a mask passes unmeasured.

    least, most   of that share
    """

    def __init__(self, *, least: Area, most: Area) -> None:
        if least >= most:
            raise ValueError(f"least={least}: it must be below most={most}.")
        self.least = least
        self.most = most

    def judge(self, candidates: Sequence[Candidate], context: Context, earlier: Mapping[str, Verdicts]) -> Verdicts:
        return [self._verdict(candidate) for candidate in candidates]

    def _verdict(self, candidate: Candidate) -> Verdict | None:
        if candidate.mask is None:
            return None
        try:
            mask = decode_mask(read(candidate.mask))
        except BadPicture as error:
            raise PictureError(
                f"{candidate.mask}: {error}. Delete it with its picture: both are drawn again."
            ) from error
        area = float(np.asarray(mask, dtype=np.float64).mean()) / WHITE
        if area < self.least:
            return Verdict(
                area, self.least, False, f"the subject is too small (its share is {area:.3f} < {self.least})"
            )
        if area > self.most:
            return Verdict(area, self.most, False, f"the subject fills it (its share is {area:.3f} > {self.most})")
        return Verdict(area, self.least, True)
