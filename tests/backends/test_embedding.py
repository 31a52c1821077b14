"""What embeddings and rankings are, whoever makes them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrt.backends import Scripted
from graphrt.backends.embedding import Embedder, Ranked, Ranking, Reranker, several
from graphrt.backends.errors import BadRequest
from graphrt.backends.events import Usage


@given(st.lists(st.floats(allow_nan=False), max_size=8), st.integers(0, 9))
def test_the_best_are_in_falling_order_and_equals_as_they_were_given(scores: list[float], count: int) -> None:
    ranking = Ranking(tuple(scores), Usage())
    best = ranking.best()
    assert sorted(each.index for each in best) == list(range(len(scores)))
    assert all(each.score == scores[each.index] for each in best)
    assert all(a.score > b.score or (a.score == b.score and a.index < b.index) for a, b in pairwise(best))
    assert ranking.best(count) == best[:count]


def test_the_best_of_three() -> None:
    assert Ranking((0.1, 9.0, -4.0), Usage()).best(2) == (Ranked(1, 9.0), Ranked(0, 0.1))


def test_one_text_is_not_taken_for_its_letters() -> None:
    assert several(iter(["a", "b"]), "texts") == ("a", "b")  # type: ignore[arg-type] # what runs is less strict
    with pytest.raises(BadRequest, match="documents is one text; put it into a list"):
        several("text", "documents")
    with pytest.raises(BadRequest, match=r"texts\[1\] is no text but of type bytes"):
        several(["a", b"b"], "texts")  # type: ignore[list-item]


def test_what_only_answers_neither_embeds_nor_ranks() -> None:
    assert not isinstance(Scripted([]), Embedder)
    assert not isinstance(Scripted([]), Reranker)
