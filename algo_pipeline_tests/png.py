"""What a test can say about a picture without looking at it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np


def pixels(png: bytes) -> np.ndarray[Any, Any]:
    """Shape (height, width, channels), values in [0, 1]."""
    from matplotlib.image import imread

    return imread(io.BytesIO(png), format="png")


def has_colour(png: bytes, colour: str, at_least: int = 20) -> bool:
    """Whether at least so many pixels have exactly this colour."""
    from matplotlib.colors import to_rgb

    near = np.abs(pixels(png)[:, :, :3] - np.array(to_rgb(colour))).max(axis=2) < 0.02
    return int(near.sum()) >= at_least
