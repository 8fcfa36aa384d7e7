"""Thresholds and rates on scores whose answers can be counted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.evaluation.error_rates import ScoreHistogram, best_accuracy, match_rate

cosines = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=60)


@settings(max_examples=30)  # each builds 200,000 bins
@given(cosines, st.floats(0, 1))
def test_a_histogram_threshold_lets_at_most_the_stated_share_pass(scores: list[float], share: float) -> None:
    values = np.array(scores, np.float32)
    histogram = ScoreHistogram()
    histogram.add(values[: len(values) // 2])
    histogram.add(values[len(values) // 2 :])
    threshold = histogram.threshold_for(share)
    assert histogram.total == len(values)
    if threshold < 1:
        assert np.count_nonzero(values >= threshold + 1e-5) <= share * len(values) + 1e-9
    # A threshold lower by two bins would let too many pass, or there is nothing left below.
    lower = np.count_nonzero(values >= threshold - 2e-5)
    assert lower > share * len(values) - 1e-9 or lower == len(values)


@settings(max_examples=30)
@given(cosines, st.floats(-1, 1))
def test_a_histogram_counts_like_the_scores_themselves(scores: list[float], threshold: float) -> None:
    values = np.array(scores, np.float32)
    histogram = ScoreHistogram()
    histogram.add(values)
    low, high = (np.count_nonzero(values >= threshold + shift) for shift in (1.1e-5, -1.1e-5))
    assert low <= histogram.at_or_above(threshold) <= high


def test_separable_scores_are_all_right() -> None:
    scores = np.array([0.1, 0.8, 0.2, 0.9], np.float32)
    accuracy, threshold = best_accuracy(scores, np.array([False, True, False, True]))
    assert accuracy == 1
    assert threshold == pytest.approx(0.5)


def test_inverted_scores_are_best_refused_or_accepted_whole() -> None:
    accuracy, _ = best_accuracy(np.array([0.9, 0.1], np.float32), np.array([False, True]))
    assert accuracy == 0.5


@given(
    st.lists(st.tuples(st.sampled_from([-1.0, 0.0, 0.25, 0.5, 1.0]), st.booleans()), min_size=1, max_size=30)
)
def test_the_best_threshold_beats_every_other_and_keeps_its_word(pairs: list[tuple[float, bool]]) -> None:
    scores = np.array([score for score, _ in pairs], np.float32)
    same = np.array([kind for _, kind in pairs])
    accuracy, threshold = best_accuracy(scores, same)
    assert np.mean((scores >= threshold) == same) == pytest.approx(accuracy)
    for other in (-2, -0.5, 0.1, 0.3, 0.7, 2):
        assert np.mean((scores >= other) == same) <= accuracy + 1e-12


def test_the_match_rate_is_counted_above_the_allowed_impostors() -> None:
    impostor = np.arange(1000, dtype=np.float32) / 1000
    genuine = np.array([0.5, 0.9985, 0.9995], np.float32)
    rate, threshold = match_rate(genuine, impostor, 1e-3)
    assert np.count_nonzero(impostor >= threshold) == 1
    assert rate == pytest.approx(2 / 3)


def test_too_few_impostors_allow_none() -> None:
    _, threshold = match_rate(np.ones(3, np.float32), np.array([0.1, 0.4], np.float32), 1e-3)
    assert threshold > 0.4
