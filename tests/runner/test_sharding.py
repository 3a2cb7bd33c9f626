"""Parts of a suite: together they are the whole, they agree without a word, and take about the same time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import sharding
from runner.errors import UsageError
from runner.sharding import Shard

cases = st.lists(st.text("abc", min_size=1, max_size=4), unique=True, max_size=12)


@given(cases, st.integers(1, 5), st.dictionaries(st.text("abc", min_size=1, max_size=4), st.floats(0, 9)))
def test_the_parts_are_the_whole_each_case_once(names: list[str], count: int, took: dict[str, float]) -> None:
    parts = [sharding.part(names, Shard(number, count), str, took) for number in range(1, count + 1)]
    assert sorted(one for part in parts for one in part) == sorted(names)
    assert all(part == [one for one in names if one in part] for part in parts), "in their order"


def test_parts_take_about_the_same_time() -> None:
    took = {"long": 10.0, "a": 3.0, "b": 3.0, "c": 4.0}
    assert sharding.part(list(took), Shard(1, 2), str, took) == ["long"]
    assert sharding.part(list(took), Shard(2, 2), str, took) == ["a", "b", "c"]


def test_what_was_never_played_counts_as_the_median() -> None:
    took = {"a": 1.0, "b": 5.0, "c": 9.0}
    assert sharding.part(["a", "b", "c", "new"], Shard(1, 2), str, took) == ["a", "c"]


def test_the_order_of_the_files_does_not_matter() -> None:
    one = sharding.part(["a", "b", "c", "d"], Shard(1, 2), str, {})
    assert sorted(one) == sorted(sharding.part(["d", "c", "b", "a"], Shard(1, 2), str, {}))


@pytest.mark.parametrize("text", ["", "2", "0/3", "4/3", "a/b", "1/0", "-1/2"])
def test_what_is_no_part_is_said(text: str) -> None:
    with pytest.raises(UsageError, match="K/N"):
        sharding.read(text)
