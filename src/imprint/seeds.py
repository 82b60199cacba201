"""Seeds by name: what `rng` makes generators of, and what says which noise a picture has."""

import hashlib


def seed_of(*name: int | str) -> int:
    """A 63-bit seed that depends on every part of `name` and on their order."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in name)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
