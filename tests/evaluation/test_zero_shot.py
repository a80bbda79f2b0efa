import numpy as np
import pytest

from contraview.core.errors import InputError
from contraview.evaluation.backdoor import attack_success_rate
from contraview.evaluation.zero_shot import class_vectors, zero_shot


def test_prompts_are_normalised_before_and_after_their_mean():
    prompts = np.array([[[10.0, 0.0], [0.0, 1.0]], [[0.0, -2.0], [0.0, -4.0]]])
    h = 2**-0.5
    np.testing.assert_allclose(class_vectors(prompts), [[h, h], [0, -1]])
    with pytest.raises(InputError, match="no prompts"):
        class_vectors(np.empty((0, 2, 3)))


def test_the_nearest_class_wins_and_shares_sum_to_one():
    shares = zero_shot(np.array([[3.0, 0.1], [0.0, -1.0]]), np.eye(2), 100.0)
    np.testing.assert_allclose(shares.sum(1), 1)
    assert shares[0, 0] > 0.99
    assert shares[1].argmax() == 0


def test_images_of_the_target_class_do_not_count():
    truth = np.array(["cat", "cat", "dog", "banana", "banana"])
    predicted = np.array(["banana", "cat", "dog", "banana", "banana"])
    assert attack_success_rate(predicted, truth, "banana") == pytest.approx(1 / 3)
    with pytest.raises(InputError, match="other than 'banana'"):
        attack_success_rate(predicted[3:], truth[3:], "banana")
