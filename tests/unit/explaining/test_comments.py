"""Comments of a YAML file, beside the settings that they are about."""

from imprint.explaining.comments import Setting, read

FILE = """\
# What it is. And
# more of that.
#
#   imprint train method=it
#
# A further paragraph.
defaults: [base, _self_]

_target_: some.Class
plain: 1
beside: "a # b"   # said beside, and
                  # further below
# said before
before: [1, 2]
group:            # of all of it
  inner: null     # it's said
  list: {a: 1}
"""


def test_the_head_is_prose_and_commands() -> None:
    found = read(FILE)
    assert found.about == "What it is. And more of that.\nA further paragraph."
    assert found.examples == ["imprint train method=it"]


def test_each_setting_has_what_is_said_of_it_alone() -> None:
    assert read(FILE).settings == [
        Setting("plain", "1", ""),
        Setting("beside", '"a # b"', "said beside, and further below"),
        Setting("before", "[1, 2]", "said before"),
        Setting("group", "", "of all of it"),
        Setting("group.inner", "null", "it's said"),
        Setting("group.list", "{a: 1}", ""),
    ]


def test_a_head_is_not_about_the_first_setting() -> None:
    assert read("# The head.\nfirst: 1\n").settings == [Setting("first", "1", "")]


def test_a_file_of_comments_has_no_settings() -> None:
    assert read("# @package _global_\n# Nothing here.\n") == ("Nothing here.", [], [])
