"""What the oracles share: random parameters under which logits neither vanish nor overflow, and a case on disk.

For example:

    X, y_hat = pictures(50), ...
    save(folder, "resnet50", X, y_hat)
"""

from pathlib import Path

import numpy


def pictures(seed, size=(64, 64)):
    """Two pictures of ``size``, (2, 3, H, W) float32, normal, three times as bright as normalized ones."""
    return 3 * numpy.random.RandomState(seed).randn(2, 3, *size).astype("float32")  # (2, 3, H, W)


class Random:
    """Parameters drawn in turn from one seed, float32; statistics too, or a mixed-up mean and variance would pass."""

    def __init__(self, seed):
        self.rng = numpy.random.RandomState(seed)

    def weight(self, shape, fan_in):
        """Normal, of the variance 2 / fan_in (He et al., arXiv 1502.01852)."""
        return (self.rng.randn(*shape) * (2 / fan_in) ** 0.5).astype("float32")

    def bias(self, shape):
        """Also for beta and the running mean."""
        return (self.rng.randn(*shape) * 0.1).astype("float32")

    def gamma(self, shape):
        """Below 1 on average, so that 50 residual blocks do not add up to infinity."""
        return self.rng.uniform(0.3, 0.7, shape).astype("float32")

    def variance(self, shape):
        """Running variance."""
        return self.rng.uniform(0.5, 1.5, shape).astype("float32")


def case_folder(folder, library, case):
    """Make the case's folder and return its path."""
    path = Path(folder, library, case)
    path.mkdir(parents=True, exist_ok=True)
    return path


def save(path, X, y_hat):
    """Write the pictures and the logits; refuses logits that would hide a wrong network."""
    y_hat = numpy.asarray(y_hat, dtype="float32")
    largest, apart = abs(y_hat).max(), abs(y_hat[0] - y_hat[1]).max()
    if not (numpy.isfinite(y_hat).all() and 0.1 < largest < 100 and apart > 0.01 * largest):
        raise SystemExit(f"{path}: logits up to {largest:.3g}, pictures {apart:.3g} apart: no test of anything")
    numpy.save(path / "X.npy", X)
    numpy.save(path / "y_hat.npy", y_hat)
    print(f"{path.parent.name}/{path.name}: logits up to {largest:.2f}, pictures {apart:.2f} apart", flush=True)
