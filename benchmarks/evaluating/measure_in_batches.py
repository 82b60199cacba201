"""Scores of a folder of pictures, as `imprint evaluate images=...` has them.

python measure_in_batches.py [overrides of `imprint evaluate`]
"""

import sys

from spent import spent

from imprint.config import compose
from imprint.verbs.evaluate import evaluate

with spent():
    [sheet] = evaluate(compose("evaluate", sys.argv[1:]))
