"""Prints the polynomial of bc_ln in csrc/frontend/lanes.h.

ln(1+f) = f - f^2/2 + f^3 P(f) on sqrt(1/2)-1 <= f <= sqrt(2)-1. P is a degree-7 least-squares fit
at Chebyshev nodes, iteratively reweighted (Lawson) towards the minimax fit of the absolute error.
Needs numpy.
"""

from __future__ import annotations

import numpy as np

DEGREE = 7


def fit() -> np.ndarray:
    """Coefficients of P, lowest power first, float64."""
    low, high = np.sqrt(0.5) - 1, np.sqrt(2.0) - 1
    f = (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(4000) + 0.5) / 4000)
    f = f[np.abs(f) > 1e-3]
    target = (np.log1p(f) - f + f * f / 2) / f**3
    powers = np.vander(f, DEGREE + 1, increasing=True)
    weight = np.abs(f) ** 3
    lawson = np.ones_like(f)
    for _ in range(60):
        scale = weight * np.sqrt(lawson)
        solution = np.linalg.lstsq(powers * scale[:, None], target * scale, rcond=None)[0]
        error = np.abs(powers @ solution - target) * weight
        lawson *= error / error.max()
        lawson /= lawson.mean()
    print(f"/* largest error of the polynomial: {error.max():.2e} */")
    return solution


if __name__ == "__main__":
    for power, coefficient in enumerate(fit()):
        print(f"f^{power + 3}: {np.float32(coefficient):.9g}f")
