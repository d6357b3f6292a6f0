"""Where light falls on the focal surface: pixels, the gaps between tubes, and the point spread function."""

import numpy as np

from edge_runtime.tracking import EDGES as EDGES

SIDE = int(EDGES[-1]) + 1  # of the focal surface with its gaps


def pixel_shares(centre: np.ndarray, sigma: float) -> np.ndarray:
    """Share of a point's light in each row (or column) [p, 48] float64 for its places [p] in focal coordinates.

    The point spread function is a Gaussian of standard deviation `sigma` pixels, integrated over the pixel; light in a gap is lost. The
    shares of a point in two dimensions are the product of those of its row and its column.
    """
    from scipy.special import ndtr

    begin = (EDGES[None, :] - np.asarray(centre, np.float64)[:, None]) / sigma
    return ndtr(begin + 1 / sigma) - ndtr(begin)
