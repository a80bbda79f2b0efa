"""Atari screens as the usual agents see them: four grey frames of 84 x 84 at a time."""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from jaxtyping import UInt8
from torch.nn.functional import interpolate

SIDE, STACK, SKIP = 84, 4, 4


class Screens(gym.Wrapper):
    """Repeats an action four times and gives the last four screens so seen, [4, 84, 84] bytes.

    A screen is the brighter of the last two frames (sprites flicker), shrunk by area. Rewards of
    the repeats are added up, and clipped to -1, 0, 1 where ``clip`` is set (Mnih et al. 2015).
    """

    def __init__(self, env: gym.Env, *, clip: bool = True) -> None:
        super().__init__(env)
        self.clip = clip
        self.observation_space = spaces.Box(0, 255, (STACK, SIDE, SIDE), np.uint8)
        self._stack = np.zeros((STACK, SIDE, SIDE), np.uint8)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[UInt8[np.ndarray, "4 84 84"], dict[str, Any]]:
        """A new game; its first screen four times."""
        screen, info = self.env.reset(seed=seed, options=options)
        self._stack[:] = _shrunk(screen)
        return self._stack.copy(), info

    def step(
        self, action: Any
    ) -> tuple[UInt8[np.ndarray, "4 84 84"], float, bool, bool, dict[str, Any]]:
        """The action four times."""
        total, ended, cut, info = 0.0, False, False, {}
        seen = []
        for _ in range(SKIP):
            screen, reward, ended, cut, info = self.env.step(action)
            total += float(reward)
            seen = [*seen[-1:], screen]
            if ended or cut:
                break
        self._stack[:-1] = self._stack[1:].copy()
        self._stack[-1] = _shrunk(np.maximum.reduce(seen))
        reward = float(np.sign(total)) if self.clip else total
        return self._stack.copy(), reward, ended, cut, info


def _shrunk(screen: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "84 84"]:
    pixels = torch.from_numpy(screen)[None, None].float()
    return interpolate(pixels, (SIDE, SIDE), mode="area")[0, 0].round().byte().numpy()
