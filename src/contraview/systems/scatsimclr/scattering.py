"""The scattering transform of images: fixed wavelets, modulus, local average, twice."""

import math
from functools import lru_cache
from itertools import chain

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.fft import fft2, fftfreq, ifft2
from torch.nn.functional import pad

from contraview.core.errors import InputError

AT_ONCE = 64
"""Images transformed together: what lies between stays in a core's cache."""


class Scattering(nn.Module):
    """Maps that hardly move when the image does, and keep what a plain average would lose.

    With wavelets psi of J scales and L directions and the average phi over 2^J pixels::

        S0 = x * phi,  S1 = |x * psi_a| * phi,  S2 = ||x * psi_a| * psi_b| * phi    (b coarser)

    Bruna and Mallat 2013, arXiv 1203.1513. Morlet wavelets with a Gaussian of .8 · 2^j pixels,
    a centre frequency of 3/4 pi / 2^j and a slant of 4 / L, as Kymatio has them. Two things differ
    from Kymatio's: wavelets are scaled so that no image gains energy, and the maps are sampled at
    the middle of blocks of 2^J pixels, so that turning an image by a right angle turns its maps and
    swaps their directions, to the last bit but rounding (`turned`).

    Products in the Fourier domain; each intermediate map is sampled as finely as its scale needs.

    Args:
        height: of the images, a multiple of 2^J.
        width: of the images, a multiple of 2^J.
        scales: J.
        turns: L, directions within half a turn.
    """

    def __init__(self, height: int, width: int, *, scales: int, turns: int) -> None:
        super().__init__()
        block = 2**scales
        if height % block or width % block or min(height, width) <= block:
            raise InputError(
                f"images of {width} x {height} pixels; expected sides that are multiples of "
                f"{block}, and longer: bring them to one with --size, or choose fewer --scales"
            )
        self.scales, self.turns = scales, turns
        self.size = height + 2 * block, width + 2 * block
        self.maps = 1 + turns * scales + turns**2 * scales * (scales - 1) // 2
        smallest = 1.0
        for level in range(scales + 1):
            size = self.size[0] >> level, self.size[1] >> level
            low = gaussian(size, 0.8 * 2 ** (scales - 1 - level))
            self.register_buffer(f"phi{level}", low.to(torch.complex64), persistent=False)
            for j in range(level, scales):
                waves = torch.stack([_morlet(size, j - level, k, turns) for k in range(turns)])
                self.register_buffer(f"psi{level}{j}", waves.to(torch.complex64), persistent=False)
            if level == 0:
                every = torch.cat([self._psi(0, j).real for j in range(scales)]).square().sum(0)
                both = (every + every.flip(0, 1).roll((1, 1), (0, 1))) / 2
                room = (1 - low.square()) / both.clamp(min=1e-9)
                smallest = float(room[both > 1e-6].min().sqrt())
        for level in range(scales):
            for j in range(level, scales):
                self._psi(level, j).mul_(smallest)

    def _psi(self, level: int, j: int) -> Tensor:
        return self.get_buffer(f"psi{level}{j}")

    @torch.no_grad()
    def forward(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n m y x"]:
        """All maps of each channel, m = c · `maps`; y = h / 2^J, x = w / 2^J."""
        return torch.cat([self._maps(part) for part in pixels.split(AT_ONCE)])

    def _maps(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n m y x"]:
        block, count = 2**self.scales, len(pixels)
        padded = pad(pixels, (block,) * 4, mode="reflect").flatten(0, 1)
        spectrum = fft2(padded)[:, None]
        found = [self._averaged(spectrum, 0)]
        for j in range(self.scales):
            first = self._moduli(spectrum, 0, j)
            found.append(self._averaged(first, j))
            for coarser in range(j + 1, self.scales):
                second = self._moduli(first, j, coarser)
                found.append(self._averaged(second, coarser))
        return torch.cat(found, 1).unflatten(0, (count, -1)).flatten(1, 2)

    def _moduli(
        self, spectra: Complex[Tensor, "n a h w"], level: int, j: int
    ) -> Complex[Tensor, "n b y x"]:
        """Spectra of the moduli of all directions at scale j, sampled every 2^j pixels."""
        waves = spectra[:, :, None] * self._psi(level, j)
        return fft2(_sampled(waves.flatten(1, 2), 2 ** (j - level)).abs())

    def _averaged(
        self, spectra: Complex[Tensor, "n a h w"], level: int
    ) -> Float[Tensor, "n a y x"]:
        low = spectra * self.get_buffer(f"phi{level}")
        return _sampled(low, 2 ** (self.scales - level)).real[:, :, 1:-1, 1:-1]

    def turned(self, maps: Float[Tensor, "n m y x"], quarters: int) -> Float[Tensor, "n m y x"]:
        """The maps of the images as they are after so many quarter turns (as `torch.rot90`)."""
        if self.turns % 2:
            raise InputError(f"{self.turns} directions; expected an even number of --turns")
        swapped = maps
        if quarters % 2:
            order = torch.tensor(_after_a_quarter(self.scales, self.turns), device=maps.device)
            swapped = maps.unflatten(1, (-1, self.maps)).index_select(2, order).flatten(1, 2)
        return torch.rot90(swapped, quarters, (2, 3))


def gaussian(size: tuple[int, int], sigma: float) -> Float[Tensor, "h w"]:
    """The spectrum of a Gaussian of ``sigma`` pixels that sums to one, sampled at pixels."""
    return _bumps(size, (0.0, 0.0), sigma, 0.0, 1.0)


def _morlet(size: tuple[int, int], j: int, k: int, turns: int) -> Float[Tensor, "h w"]:
    """The spectrum of wavelet j, k: real, its peak near 1 at its frequency, 0 at frequency 0."""
    angle, sigma, slant = math.pi * k / turns, 0.8 * 2**j, 4 / turns
    centre = 0.75 * math.pi / 2**j
    wave = _bumps(size, (centre * math.sin(angle), centre * math.cos(angle)), sigma, angle, slant)
    middle = _bumps(size, (0.0, 0.0), sigma, angle, slant)
    return wave - middle * (wave[0, 0] / middle[0, 0])


def _bumps(
    size: tuple[int, int], centre: tuple[float, float], sigma: float, angle: float, slant: float
) -> Float[Tensor, "h w"]:
    """exp(-sigma^2 (a^2 + b^2 / slant^2) / 2), a along and b across the angle, about a frequency.

    Summed over the frequencies that look alike at whole pixels.
    """
    down, across = (2 * math.pi * fftfreq(n, dtype=torch.float64) for n in size)
    total = torch.zeros(size, dtype=torch.float64)
    for shift in ((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)):
        v = (down + 2 * math.pi * shift[0] - centre[0])[:, None]
        u = (across + 2 * math.pi * shift[1] - centre[1])[None]
        along = u * math.cos(angle) + v * math.sin(angle)
        beside = v * math.cos(angle) - u * math.sin(angle)
        total += torch.exp(-(sigma**2) * (along.square() + (beside / slant).square()) / 2)
    return total


def _sampled(spectra: Complex[Tensor, "n a h w"], step: int) -> Complex[Tensor, "n a y x"]:
    """The signals at the middle of every block of ``step`` x ``step`` pixels."""
    height, width = spectra.shape[2:]
    if step > 1:
        device = spectra.device.type
        spectra = spectra * (
            _half_shift(height, step, device)[:, None] * _half_shift(width, step, device)
        )
        spectra = spectra.unflatten(3, (step, -1)).unflatten(2, (step, -1)).mean((2, 4))
    return ifft2(spectra)


@lru_cache(maxsize=64)
def _half_shift(length: int, step: int, device: str) -> Complex[Tensor, " n"]:
    """What moves a signal by (step - 1) / 2 pixels; nothing is left of the highest frequency."""
    frequencies = fftfreq(length, dtype=torch.float64)
    moved = torch.exp(2j * math.pi * frequencies * (step - 1) / 2)
    return moved.masked_fill(frequencies == -0.5, 0).to(torch.complex64).to(device)


@lru_cache(maxsize=8)
def _after_a_quarter(scales: int, turns: int) -> tuple[int, ...]:
    """For each map of a turned image, which one of the upright image has become it."""
    half = turns // 2
    moved = [(k + half) % turns for k in range(turns)]
    orders, start = [[0]], 1
    for j in range(scales):
        orders.append([start + k for k in moved])
        start += turns
        for _ in range(j + 1, scales):
            orders.append([start + a * turns + b for a in moved for b in moved])
            start += turns**2
    return tuple(chain.from_iterable(orders))
