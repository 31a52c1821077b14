"""The sampler: never a forbidden token, the asked-for mass, the same choice for the same seed and place."""

import math
from typing import Any

import pytest

pytest.importorskip("numpy", reason="the llama extra is not installed")

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from graphrt.backends.llama.engine.sampling import Sampler, uniform

LOGITS = arrays(np.float32, st.integers(1, 40), elements=st.floats(-30, 30, width=32))
SEEDS = st.integers(-(2**70), 2**70)


def probabilities(logits: Any, temperature: float = 1.0) -> Any:
    weights = np.exp((logits.astype(np.float64) - logits.max()) / temperature)
    return weights / weights.sum()


@given(LOGITS, st.data(), SEEDS, st.floats(0, 5))
def test_a_forbidden_token_is_never_chosen(logits: Any, data: st.DataObject, seed: int, temperature: float) -> None:
    allowed = data.draw(arrays(np.bool_, len(logits)))
    assume(allowed.any())
    sampler = Sampler(temperature=temperature, seed=seed, top_p=0.9, top_k=5, min_p=0.01)
    for position in range(5):
        assert allowed[sampler.pick(logits, position, allowed)]


@given(LOGITS)
def test_temperature_zero_takes_the_first_of_the_likeliest(logits: Any) -> None:
    assert Sampler().pick(logits, 0) == int(np.argmax(logits))


@given(LOGITS, st.floats(0.01, 1))
def test_top_p_keeps_the_smallest_set_that_holds_the_mass(logits: Any, top_p: float) -> None:
    given_ = probabilities(logits)
    kept = Sampler(top_p=top_p).keep(given_)
    mass = given_[kept].sum()
    assert mass >= top_p - 1e-9
    assert mass - given_[kept].min() < top_p + 1e-9 or top_p == 1
    assert given_[kept].min() >= np.delete(given_, kept).max(initial=0)


@settings(max_examples=50)
@given(st.integers(0, 2**32), st.integers(300, 5000), st.sampled_from([0.1, 1, 8]), st.floats(0, 0.9999))
def test_top_p_of_many_is_what_sorting_them_all_would_give(seed: int, size: int, spread: float, top_p: float) -> None:
    drawn = np.random.default_rng(seed).standard_normal(size) * spread
    given_ = probabilities(np.round(drawn) if seed % 2 else drawn)  # many that are equal, too
    order = np.argsort(-given_, kind="stable")
    before = np.cumsum(given_[order]) - given_[order]
    expected = order[before < top_p * given_.sum()].tolist() or [int(given_.argmax())]
    assert Sampler(top_p=top_p).keep(given_).tolist() == expected


@given(LOGITS, st.integers(1, 50))
def test_top_k_keeps_the_k_likeliest(logits: Any, top_k: int) -> None:
    given_ = probabilities(logits)
    kept = Sampler(top_k=top_k).keep(given_)
    assert len(set(kept.tolist())) == len(kept) == min(top_k, len(logits))
    assert given_[kept].min() >= np.delete(given_, kept).max(initial=0)


@given(LOGITS, st.floats(0, 1))
def test_min_p_keeps_what_is_not_too_far_below_the_best(logits: Any, min_p: float) -> None:
    given_ = probabilities(logits)
    assert set(Sampler(min_p=min_p).keep(given_).tolist()) == set(
        np.flatnonzero(given_ >= min_p * given_.max()).tolist()
    )


@given(LOGITS, SEEDS, st.integers(0, 10**6))
def test_a_choice_depends_on_seed_and_place_alone(logits: Any, seed: int, position: int) -> None:
    fresh, used = Sampler(temperature=1.0, seed=seed), Sampler(temperature=1.0, seed=seed)
    for other in range(3):
        used.pick(logits, other)
    assert fresh.pick(logits, position) == used.pick(logits, position)


@given(SEEDS, st.integers(0, 2**40))
def test_random_numbers_are_in_range(seed: int, position: int) -> None:
    assert 0 <= uniform(seed, position) < 1


def test_choices_follow_the_distribution() -> None:
    logits = np.log(np.array([0.5, 0.25, 0.125, 0.125], dtype=np.float32))
    sampler = Sampler(temperature=1.0, seed=3)
    drawn = np.bincount([sampler.pick(logits, position) for position in range(4000)], minlength=4) / 4000
    assert np.abs(drawn - np.array([0.5, 0.25, 0.125, 0.125])).max() < 0.03


def test_a_lower_temperature_sharpens() -> None:
    logits = np.array([1.0, 0.0], dtype=np.float32)

    def share(temperature: float) -> float:
        sampler = Sampler(temperature=temperature, seed=1)
        return sum(sampler.pick(logits, position) == 0 for position in range(1000)) / 1000

    assert share(0.2) > share(1.0) > share(5.0) > 0.5


def test_penalties_turn_away_from_what_was_written() -> None:
    logits = np.array([2.0, 1.5, 1.2], dtype=np.float32)
    sampler = Sampler(frequency_penalty=0.4)
    written = []
    for position in range(6):
        token = sampler.pick(logits, position)
        sampler.accept(token)
        written.append(token)
    assert written == [0, 0, 1, 0, 2, 1]
    once = Sampler(presence_penalty=1.0)
    once.accept(0)
    once.accept(0)
    assert once.pick(logits, 0) == 1
    assert logits[0] == 2.0


def test_broken_logits_are_survived() -> None:
    logits = np.array([np.nan, -np.inf, 1.0, np.nan], dtype=np.float32)
    assert Sampler().pick(logits, 0) == 2
    assert Sampler(temperature=1.0, seed=1).pick(logits, 0) == 2
    for hopeless in (np.nan, -np.inf, np.inf):
        nothing = np.full(3, hopeless, dtype=np.float32)
        assert Sampler().pick(nothing, 0) == 0
        assert Sampler(temperature=1.0, seed=1, top_p=0.5).pick(nothing, 0) in {0, 1, 2}


def plainly(weights: list[float], top_k: int, top_p: float, min_p: float) -> set[int]:
    """What is kept, one token after the other."""
    order = sorted(range(len(weights)), key=lambda at: -weights[at])
    order = [at for at in order if weights[at] >= min_p * weights[order[0]]]
    order = order[: top_k or None]
    wanted = top_p * sum(weights[at] for at in order) if top_p < 1 else math.inf
    kept, so_far = set[int](), 0.0
    for at in order:
        if kept and so_far >= wanted:
            break
        kept.add(at)
        so_far += weights[at]
    return kept


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    spread=st.floats(0.1, 8),
    top_k=st.sampled_from([0, 0, 1, 5, 40, 3000]),
    top_p=st.sampled_from([1.0, 0.999, 0.9, 0.3, 0.0]),
    min_p=st.sampled_from([0.0, 0.0, 0.05, 0.5, 1.0]),
)
def test_of_a_large_vocabulary_as_much_is_kept_as_if_each_token_were_looked_at(
    seed: int, spread: float, top_k: int, top_p: float, min_p: float
) -> None:
    weights = np.exp(np.random.default_rng(seed).standard_normal(4000) * spread).astype(np.float32)
    weights /= weights.max()
    kept = Sampler(temperature=1.0, top_k=top_k, top_p=top_p, min_p=min_p).keep(weights)
    expected = plainly(weights.astype(float).tolist(), top_k, top_p, min_p)
    assert len(set(kept.tolist()) ^ expected) <= 1  # at the edge of the nucleus, by rounding
    assert int(weights.argmax()) in kept
