import math

import pytest
import torch

from contraview.core.seeds import torch_generator
from contraview.frameworks.diffusion import Noising, diffusion_loss, guided, sample
from contraview.networks.dit import DiT
from contraview.networks.fresh import fresh
from contraview.objectives.diffusion import variational_bound


def dit(outputs=1, **knobs):
    shape = {"condition": 3, "patch": 2, "width": 16, "depth": 1, "heads": 2}
    return fresh(lambda: DiT(1, 4, outputs=outputs, **shape | knobs), 0, "dit")


class Told:
    """Knows the clean image and so the noise exactly; counts how often it is asked."""

    def __init__(self, clean, noising):
        self.clean, self.noising, self.asked = clean, noising, 0

    def __call__(self, images, times, conditions=None, dropped=None):
        self.asked += 1
        step = (times * self.noising.steps / 1000).round().long() - 1
        a, s = (each.view(-1, 1, 1, 1) for each in self.noising.at(step))
        return (images - a * self.clean) / s


@pytest.mark.parametrize("betas", ["linear", "cosine"])
def test_noised_images_have_the_moments_of_the_process(betas):
    noising = Noising(50, betas)
    generator = torch_generator(0, "moments")
    images = torch.full((20_000, 1, 1, 1), 0.7)
    for t in (0, 20, 49):
        step = torch.full((20_000,), t)
        noisy = noising.noised(images, step, torch.randn(images.shape, generator=generator))
        kept = float(noising.kept[t])
        assert noisy.mean() == pytest.approx(0.7 * math.sqrt(kept), abs=0.03)
        assert noisy.var() == pytest.approx(1 - kept, abs=0.03)


@pytest.mark.parametrize("betas", ["linear", "cosine"])
@pytest.mark.parametrize("steps", [10, 200, 1000])
def test_little_is_lost_at_first_and_almost_all_at_last(betas, steps):
    kept = Noising(steps, betas).kept
    assert (kept.diff() < 0).all()
    assert kept[0] > 0.75
    assert kept[-1] < 1e-2


def test_ddpm_betas_at_a_thousand_steps():
    beta = Noising(1000).beta
    assert float(beta[0]) == pytest.approx(1e-4)
    assert float(beta[-1]) == pytest.approx(0.02)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_who_knows_the_noise_arrives_at_the_image(order, steps):
    noising = Noising(100)
    clean = torch.randn(2, 1, 4, 4)
    told = Told(clean, noising)
    found = sample(told, noising, torch.randn(2, 1, 4, 4), steps=steps, order=order)
    torch.testing.assert_close(found, clean, rtol=1e-3, atol=1e-4)
    assert told.asked == steps


class Normal:
    """The exact denoiser of images that are normal with mean 2 and standard deviation 0.5."""

    def __init__(self, noising):
        self.noising = noising

    def __call__(self, images, times, conditions=None, dropped=None):
        step = (times * self.noising.steps / 1000).round().long() - 1
        a, s = (each.view(-1, 1, 1, 1) for each in self.noising.at(step))
        return s * (images - 2 * a) / ((0.5 * a) ** 2 + s**2)


def test_samples_have_the_distribution_and_the_second_order_is_nearer_to_it():
    noising = Noising(1000)
    start = torch.randn(4000, 1, 1, 1, generator=torch_generator(0, "start"))
    spread = {}
    for order in (1, 2):
        found = sample(Normal(noising), noising, start, steps=20, order=order)
        assert found.mean() == pytest.approx(2, abs=0.05)
        spread[order] = abs(float(found.std()) - 0.5)
    assert spread[2] < spread[1] < 0.1


def test_clean_images_are_clipped_on_the_way():
    noising = Noising(100)
    told = Told(torch.full((1, 1, 2, 2), 3.0), noising)
    assert (sample(told, noising, torch.randn(1, 1, 2, 2), steps=5, clip=1.0) <= 1).all()


def test_guidance_of_0_is_unconditional_of_1_conditional_and_beyond_goes_further():
    network = dit()
    for parameter in network.parameters():  # the last layers begin at zero
        torch.nn.init.normal_(parameter, std=0.2, generator=torch_generator(0, "weights"))
    images, times = torch.randn(3, 1, 4, 4), torch.tensor([1.0, 500.0, 1000.0])
    conditions = torch.randn(3, 3)
    without, with_it = network(images, times), network(images, times, conditions)
    assert not torch.allclose(without, with_it)
    for guidance in (0.0, 1.0, 2.0, 0.5):
        expected = without + guidance * (with_it - without)
        found = guided(network, images, times, conditions, guidance)
        torch.testing.assert_close(found, expected)
    torch.testing.assert_close(guided(network, images, times, None, 2.0), without)


def test_dropped_rows_take_the_learnt_vector_for_nothing_which_is_not_zero():
    network = dit()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2, generator=torch_generator(0, "weights"))
    images, times, conditions = torch.randn(2, 1, 4, 4), torch.ones(2), torch.randn(2, 3)
    half = network(images, times, conditions, torch.tensor([True, False]))
    torch.testing.assert_close(half[:1], network(images, times)[:1])
    torch.testing.assert_close(half[1:], network(images, times, conditions)[1:])
    assert network.nothing.abs().min() > 0
    half[:1].sum().backward()
    assert network.nothing.grad is not None
    assert network.nothing.grad.abs().sum() > 0


def test_noise_alone_is_the_loss_of_a_network_that_says_zero():
    noising, images = Noising(20), torch.zeros(500, 1, 4, 4)
    loss = diffusion_loss(noising, lambda rows, _: (images[rows], None), drop=0.1)
    step = loss(dit(), torch.arange(500), torch_generator(0, "loss"))
    assert step.loss.item() == pytest.approx(1, abs=0.05)


def test_the_bound_moves_the_variance_alone():
    noising, network = Noising(20), dit(outputs=2)
    images = torch.rand(8, 1, 4, 4)
    clean = lambda rows, _: (images[rows], None)  # noqa: E731
    step = diffusion_loss(noising, clean, drop=0.0, learnt_variance=True)(
        network, torch.arange(8), torch_generator(0, "loss")
    )
    assert set(step.terms) == {"noise", "bound"}
    bound = step.terms["bound"]
    assert isinstance(bound, torch.Tensor)
    bound.backward()
    weight = network.last.bias.grad
    assert weight is not None
    by_output = weight.view(2, 2, 2)
    assert (by_output[..., 0] == 0).all()
    assert (by_output[..., 1] != 0).all()


def test_the_bound_is_zero_where_noise_and_variance_are_right():
    noising = Noising(30)
    images = torch.randn(16, 1, 2, 2)
    step = torch.arange(2, 18)
    noise = torch.randn(images.shape)
    noisy = noising.noised(images, step, noise)
    tables = noising.beta, noising.kept
    low = torch.zeros_like(images)
    assert variational_bound(images, noisy, noise, low, step, *tables).abs() < 1e-4
    assert variational_bound(images, noisy, noise, low + 1, step, *tables) > 1e-3
    assert variational_bound(images, noisy, noise + 1, low, step, *tables) > 0.1
