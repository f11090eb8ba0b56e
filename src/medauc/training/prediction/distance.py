"""How far a vector lies from those of the training images: Mahalanobis' distance under a shrunk covariance."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

DIRECTIONS = 16  # more of them fit a few hundred images too closely and notice foreign ones less well
_LEAST_SCALE = 0.05  # of the median scale: what never varied in training still counts, but not without bound
_LEAST_REST = 1e-3  # of a standardised feature's variance


@dataclass(frozen=True, eq=False)
class Cloud:
    """Where vectors of training images lie: mean, scale, and a covariance shrunk to a few directions.

    The covariance of the standardised vectors is that of probabilistic principal components: their own variance
    along the main directions, one common variance along all others. It is regular with fewer vectors than features,
    and holds no vector of any single image.

    Attributes:
        mean: shape (F,).
        scale: standard deviation of each feature, shape (F,), positive.
        directions: orthonormal rows, shape (K, F), K at most :data:`DIRECTIONS`.
        variances: along them, shape (K,), none below ``rest``.
        rest: variance along every other direction, positive.

    Source:
        Distances of features as a sign of foreign images: Lee, Lee, Lee & Shin, NeurIPS 2018 (arXiv 1807.03888).
        The covariance: Tipping & Bishop, J. R. Stat. Soc. B 61 (1999) 611-622, eq. 7 and 8.

    >>> cloud = Cloud(np.zeros(2), np.ones(2), np.array([[1.0, 0.0]]), np.array([4.0]), 1.0)
    >>> cloud.distance(np.array([[2.0, 0.0], [0.0, 2.0]])).tolist()
    [1.0, 2.0]
    """

    mean: FloatArray
    scale: FloatArray
    directions: FloatArray
    variances: FloatArray
    rest: float

    @classmethod
    def of(cls, vectors: FloatArray) -> Self:
        """Estimate from vectors (N, F), of which one at least is finite; others do not count."""
        vectors = vectors[np.asarray(np.isfinite(vectors).all(axis=1))]
        mean, scale = vectors.mean(axis=0), vectors.std(axis=0)
        scale = np.maximum(scale, max(_LEAST_SCALE * float(np.median(scale)), 1e-6))
        _, singular, rows = np.linalg.svd((vectors - mean) / scale, full_matrices=False)
        variances = singular**2 / len(vectors)
        kept = min(DIRECTIONS, len(variances) - 1)
        rest = max(float(variances[kept:].sum()) / max(vectors.shape[1] - kept, 1), _LEAST_REST)
        return cls(mean, scale, rows[:kept], np.maximum(variances[:kept], rest), rest)

    def distance(self, vectors: FloatArray) -> FloatArray:
        """Distances (N,) of vectors (N, F), in standard deviations; infinite where a vector is not finite."""
        finite = np.asarray(np.isfinite(vectors).all(axis=1))
        standard = (np.where(finite[:, None], vectors, self.mean) - self.mean) / self.scale
        along = standard @ self.directions.T
        across = standard - along @ self.directions
        squared = (along**2 / self.variances).sum(axis=1) + (across**2).sum(axis=1) / self.rest
        return np.where(finite, np.sqrt(squared), np.inf)

    def to_arrays(self) -> dict[str, FloatArray]:
        """Everything as arrays, to be stored."""
        return {
            "mean": self.mean,
            "scale": self.scale,
            "directions": self.directions,
            "variances": self.variances,
            "rest": np.array(self.rest),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, FloatArray]) -> Self:
        """Read what :meth:`to_arrays` gave."""
        mean, scale, directions, variances = (
            arrays[name] for name in ("mean", "scale", "directions", "variances")
        )
        return cls(mean, scale, directions, variances, float(arrays["rest"]))
