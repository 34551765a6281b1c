from __future__ import annotations

from gpscale.report.markdown import bullets, demoted, table


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert table(["a"], [["x|y"]]).splitlines()[2] == r"| x\|y |"


def test_headings_move_down_and_stop_at_the_sixth_level() -> None:
    assert demoted("# a\n##### b\n#c\ntext # d", 2) == "### a\n###### b\n#c\ntext # d"


def test_comments_in_code_are_no_headings() -> None:
    assert demoted("```\n# a\n```\n# b", 1) == "```\n# a\n```\n## b"


def test_each_point_has_a_line() -> None:
    assert bullets(["one", "two"]) == "- one\n- two"
