"""The miniature's tokenizer: CLIP's byte-pair encoding over the words of the world."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

from tokenizers import pre_tokenizers
from transformers import CLIPTokenizer

from imprint.miniature.captions import vocabulary_sentences
from imprint.miniature.wording import RARE_IDENTIFIERS

MAX_LENGTH = 32
START, END = "<|startoftext|>", "<|endoftext|>"
_SUFFIX = "</w>"
# Common English, so that a free prompt is not spelled out letter by letter.
_COMMON = """
this that these those with without and or but not no is are was in on at by for from to into over near
behind above below between beside inside outside left right front back side top bottom big little old new
young long short happy sad warm cold day night morning evening summer winter spring autumn light shadow
sky sun moon star cloud rain wind fire river lake sea forest garden park road house room kitchen table
chair floor wall window door street bridge tower castle tree flower leaf stone grass man woman boy girl
child person people horse bird fish lion tiger rabbit mouse cow sheep frog bear wolf fox owl car bus
train boat plane bike ball book cup plate bottle lamp bag box hat shirt dress coat ring gold silver wood
glass metal plastic paper running jumping sleeping eating playing flying swimming walking standing
looking holding made high quality beautiful detailed photograph portrait landscape art artist digital
print poster logo icon model figure statue plush plushie animal puppy kitten pet number three four five
six seven eight nine ten color colour colorful dark bright
"""


def words() -> list[str]:
    """Every word that is to be one token, lower case, commonest concern first."""
    said = re.findall(r"[a-z]+", " ".join(vocabulary_sentences()).lower())
    return list(dict.fromkeys(said + _COMMON.split()))


def _merges(corpus: list[str]) -> list[tuple[str, str]]:
    """Merges that join every word of `corpus` into one token: the most frequent pair first, of equals the first in the
    alphabet. The library's trainer has them in another order in each process, and so each pre-training other tokens."""
    split = [_letters(word) for word in corpus]
    merges: list[tuple[str, str]] = []
    while pairs := Counter(pair for pieces in split for pair in pairwise(pieces)):
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for pieces in split:
            _join(pieces, best)
    return merges


def _letters(word: str) -> list[str]:
    return [*word[:-1], word[-1] + _SUFFIX]


def _join(pieces: list[str], pair: tuple[str, str]) -> None:
    """Wherever `pair` stands in `pieces`, in place."""
    at = 0
    while at < len(pieces) - 1:
        if (pieces[at], pieces[at + 1]) == pair:
            pieces[at : at + 2] = ["".join(pair)]
        at += 1


def _pieces(word: str, merges: list[tuple[str, str]]) -> list[str]:
    """`word` as byte-pair encoding with `merges` splits it."""
    rank = {pair: i for i, pair in enumerate(merges)}
    pieces = _letters(word)
    while known := [pair for pair in pairwise(pieces) if pair in rank]:
        _join(pieces, min(known, key=rank.__getitem__))
    return pieces


def build(folder: Path) -> CLIPTokenizer:
    """Writes vocab.json and merges.txt with their configuration into `folder` and loads them back.

    Every word of the grammar is one token; every byte is a token, so nothing is unknown; the rare
    identifiers hold the highest ids below the two special tokens.
    """
    known = words()
    merges = _merges(known)
    # Identifiers are joined from what the words left, so that their merges never tear a real word apart.
    for identifier in RARE_IDENTIFIERS:
        while len(pieces := _pieces(identifier, merges)) > 1:
            merges.append((pieces[0], pieces[1]))
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = letters + [c + _SUFFIX for c in letters]
    rare = {r + _SUFFIX for r in RARE_IDENTIFIERS}
    joined = dict.fromkeys(a + b for a, b in merges)
    tokens += [p for p in joined if p not in rare and p not in tokens]
    tokens += [r + _SUFFIX for r in RARE_IDENTIFIERS]
    tokens += [START, END]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    tokenizer = CLIPTokenizer.from_pretrained(folder, model_max_length=MAX_LENGTH)
    tokenizer.save_pretrained(folder)
    return tokenizer


def complete_files(folder: Path) -> None:
    """Of a saved tokenizer: tokenizer.json without the length to which its last texts were cut and padded, which it
    keeps otherwise; and what that holds as vocab.json and merges.txt too, which other programs read."""
    file = folder / "tokenizer.json"
    whole = json.loads(file.read_text(encoding="utf-8")) | {"truncation": None, "padding": None}
    file.write_text(json.dumps(whole, ensure_ascii=False, indent=2), encoding="utf-8")
    model = whole["model"]
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"], ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), encoding="utf-8")
