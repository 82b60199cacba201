"""Which picture stands where in the stream of samples.

Positions are filled in rounds of as many steps as there are pictures. In a round every picture stands in as
many places as a step has, no more and no fewer, whatever its shape. The pictures of a bucket (those that may
share a step) follow one another in passes, each a new permutation; a step takes its batch from one bucket.

With one bucket this is the usual thing: pass after pass over all pictures, each in a new order.
"""

from collections.abc import Hashable, Sequence

from imprint import rng


class Order:
    """A function from position to picture: no state to restore, and every process asks for its own positions.

    `buckets` says for each picture which others it may stand in a step with. `stream` tells the orders of a
    run apart.
    """

    def __init__(self, *, seed: int, stream: str, buckets: Sequence[Hashable], batch_size: int) -> None:
        assert buckets
        assert batch_size > 0
        members: dict[Hashable, list[int]] = {}
        for picture, bucket in enumerate(buckets):
            members.setdefault(bucket, []).append(picture)
        self._members = list(members.values())
        self._count = len(buckets)
        self._batch_size = batch_size
        self._name = (seed, "order", stream)
        self._passes: dict[int, tuple[int, list[int]]] = {}  # the latest pass over each bucket
        self._round: tuple[int, list[tuple[int, int]]] | None = None

    def __getitem__(self, position: int) -> int:
        step, place = divmod(position, self._batch_size)
        round_, step_in_round = divmod(step, self._count)
        bucket, turn = self._turns(round_)[step_in_round]
        members = self._members[bucket]
        pass_, place_in_pass = divmod(
            (round_ * len(members) + turn) * self._batch_size + place,
            len(members),
        )
        return members[self._permutation(bucket, pass_)[place_in_pass]]

    def _turns(self, round_: int) -> list[tuple[int, int]]:
        """Per step of a round: a bucket, and how many turns it had before. Its turns are spread evenly."""
        if self._round is None or self._round[0] != round_:
            phases = [rng.uniform(*self._name, "round", round_, bucket) for bucket in range(len(self._members))]
            turns = [
                ((turn + phase) / len(members), bucket, turn)
                for bucket, (members, phase) in enumerate(zip(self._members, phases, strict=True))
                for turn in range(len(members))
            ]
            self._round = round_, [(bucket, turn) for _, bucket, turn in sorted(turns)]
        return self._round[1]

    def _permutation(self, bucket: int, pass_: int) -> list[int]:
        latest = self._passes.get(bucket)
        if latest is None or latest[0] != pass_:
            order = rng.permutation(len(self._members[bucket]), *self._name, bucket, pass_)
            latest = self._passes[bucket] = (pass_, order)
        return latest[1]
