"""Bad input: texts, JSON, and how good bytes and good trees are spoiled."""

import json
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

# What somebody would write who wants more than to be shown.
MALICE = [
    "",
    " ",
    "\x1b[31mred\x1b]0;title\x07",
    "\x9b31m",
    "two\r\nlines\u2028or three",
    "\u202edesrever",
    "\ud83d",
    "\udcff\x00",
    "../../../etc/passwd",
    "/etc/passwd",
    "C:\\Windows",
    "~/x",
    "-rf",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "![x](http://elsewhere/p.png) [y](javascript:z)",
    "`a` | b",
    "=cmd|' /C calc'!A0",
    "\\input{/etc/passwd} $x$ % & # _ ~ ^",
    "{identifier.__class__.__init__.__globals__}",
    "{0} {} {noun!r:>99999999}",
    "${oc.env:HOME} ${hydra:runtime.cwd}",
    "{{ self.__init__.__globals__ }} {% include 'x' %}",
    "%s %n %99999999d",
    "[bold red]rich[/]",
    "1e400",
    "nan",
    "null",
    "none",
    "__proto__",
    "a" * 5000,
    "e\u0301" * 300,
]
NAMES_OF_CODE = ["os.system", "subprocess.getoutput", "builtins.eval", "antigravity.geohash", "this.s", "turtledemo.x"]

surrogates_too = st.characters(exclude_categories=())
texts = st.one_of(st.sampled_from(MALICE), st.text(surrogates_too, max_size=20), st.text(max_size=60))
# A command sets its process to take subnormal numbers for zero, which hypothesis then cannot make.
finite_or_not = st.floats(allow_subnormal=False)
numbers = st.one_of(
    st.integers(),
    st.sampled_from([0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 10**30, 10**400]),
    finite_or_not,
    st.sampled_from([1e308, -0.0, 1e-320]),
)
plain_values = st.one_of(st.none(), st.booleans(), numbers, texts)
code = st.builds(
    lambda key, name: {key: name, "cmd": "touch /tmp/hostile", "_args_": ["touch /tmp/hostile"]},
    st.sampled_from(["_target_", "_kind_", "_class_name", "auto_map", "architectures"]),
    st.sampled_from(NAMES_OF_CODE),
)
json_values = st.one_of(
    code,
    st.recursive(
        plain_values,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
        max_leaves=8,
    ),
)
DEEP = "[" * 100_000


@st.composite
def altered(draw: DrawFn, tree: Any) -> Any:
    """`tree`, of JSON, with one to three of its nodes replaced, removed, renamed or added."""
    for _ in range(draw(st.integers(1, 3))):
        tree = _altered_once(draw, tree)
    return tree


def _altered_once(draw: DrawFn, tree: Any) -> Any:
    if not isinstance(tree, dict | list) or not tree or draw(st.integers(0, 9)) == 0:
        return draw(json_values)
    if isinstance(tree, list):
        place = draw(st.integers(0, len(tree) - 1))
        kind = draw(st.sampled_from(["inside"] * 4 + ["drop", "twice"]))
        middle = {"drop": [], "twice": [tree[place]] * 2}.get(kind)
        return [*tree[:place], *([_altered_once(draw, tree[place])] if middle is None else middle), *tree[place + 1 :]]
    key = draw(st.sampled_from(sorted(tree)))
    kind = draw(st.sampled_from(["inside"] * 6 + ["drop", "rename", "add"]))
    rest = {name: content for name, content in tree.items() if name != key}
    if kind == "drop":
        return rest
    if kind == "rename":
        return {**rest, draw(texts): tree[key]}
    if kind == "add":
        return {**tree, draw(texts): draw(json_values)}
    return {**tree, key: _altered_once(draw, tree[key])}


@st.composite
def damaged(draw: DrawFn, contents: SearchStrategy[bytes]) -> bytes:
    """One of `contents`, cut, extended, or with bytes that others take the place of."""
    content = bytearray(draw(contents))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(content) - 1)))
        match draw(st.sampled_from(["flip", "flip", "set", "cut", "cut out", "insert", "repeat"])):
            case "flip" if content:
                content[place] ^= 1 << draw(st.integers(0, 7))
            case "set":
                new = draw(st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from([b"\xff" * 4, bytes(8)])))
                content[place : place + len(new)] = new
            case "cut":
                del content[place:]
            case "cut out":
                del content[place : place + draw(st.integers(1, 64))]
            case "insert":
                content[place:place] = draw(st.binary(max_size=64))
            case "repeat":
                content += content[place : place + 4096]
    return bytes(content)


def json_files(tree: Any) -> SearchStrategy[bytes]:
    """`tree` as a file, spoiled in its structure or in its bytes, and other JSON."""
    spoiled = st.one_of(altered(tree), json_values).map(json.dumps).map(str.encode)
    return st.one_of(spoiled, damaged(st.just(json.dumps(tree).encode())), st.just(DEEP.encode()))
