"""How long a delay takes: fixed, or drawn from a long-tailed law that is given by its parameters or fitted to samples.

Pure arithmetic on seconds. Refuses to know what is delayed, and why.
"""

from __future__ import annotations

import math
import random
import statistics
from typing import Annotated

import msgspec

Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]


class Law(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="law"):
    """What every law of delays has in common."""

    longest_s: Positive | None = None
    """No delay is longer than this, in seconds; None: as long as it is drawn."""

    def draw(self, rng: random.Random) -> float:
        """Return one delay in seconds."""
        drawn = self._draw(rng)
        return drawn if self.longest_s is None else min(drawn, self.longest_s)

    def _draw(self, rng: random.Random) -> float:
        raise NotImplementedError


class Fixed(Law, frozen=True, kw_only=True, tag="fixed"):
    """Always the same delay, in seconds."""

    seconds: NotNegative

    def _draw(self, rng: random.Random) -> float:  # noqa: ARG002 - the other laws need it
        return self.seconds


class LogNormal(Law, frozen=True, kw_only=True, tag="log-normal"):
    """Delays whose logarithms are normal: what queues and retransmissions add up to.

    Either ``median_s`` (seconds) and ``sigma`` (standard deviation of the natural logarithm), or ``samples_s`` to fit.
    """

    median_s: Positive | None = None
    sigma: NotNegative | None = None
    samples_s: tuple[Positive, ...] = ()

    def __post_init__(self) -> None:
        """Fit, where samples are given.

        Raises:
            ValueError: neither or both are given, or there are too few samples.
        """
        if not _only_one(bool(self.samples_s), self.median_s, self.sigma):
            raise ValueError("a log-normal delay wants median_s and sigma, or samples_s alone")
        if self.samples_s:
            fitted = fit_log_normal(self.samples_s)
            msgspec.structs.force_setattr(self, "median_s", fitted.median_s)
            msgspec.structs.force_setattr(self, "sigma", fitted.sigma)
            msgspec.structs.force_setattr(self, "samples_s", ())

    def _draw(self, rng: random.Random) -> float:
        return rng.lognormvariate(math.log(self.median_s or 1.0), self.sigma or 0.0)


class Pareto(Law, frozen=True, kw_only=True, tag="pareto"):
    """Delays of at least ``least_s`` with a power-law tail: rare ones are very long.

    Either ``least_s`` (seconds) and ``alpha`` (the tail's exponent; up to 1 the mean is infinite), or ``samples_s`` to
    fit.
    """

    least_s: Positive | None = None
    alpha: Positive | None = None
    samples_s: tuple[Positive, ...] = ()

    def __post_init__(self) -> None:
        """Fit, where samples are given.

        Raises:
            ValueError: neither or both are given, or the samples are too few or all the same.
        """
        if not _only_one(bool(self.samples_s), self.least_s, self.alpha):
            raise ValueError("a Pareto delay wants least_s and alpha, or samples_s alone")
        if self.samples_s:
            fitted = fit_pareto(self.samples_s)
            msgspec.structs.force_setattr(self, "least_s", fitted.least_s)
            msgspec.structs.force_setattr(self, "alpha", fitted.alpha)
            msgspec.structs.force_setattr(self, "samples_s", ())

    def _draw(self, rng: random.Random) -> float:
        return (self.least_s or 1.0) * rng.paretovariate(self.alpha or 1.0)


AnyLaw = Fixed | LogNormal | Pareto


def fit_log_normal(samples_s: tuple[float, ...]) -> LogNormal:
    """Return the log-normal law that makes the samples (seconds, above 0) most likely.

    Raises:
        ValueError: there are fewer than two samples, or one is not above 0.
    """
    logarithms = _logarithms(samples_s)
    mean = statistics.fmean(logarithms)
    return LogNormal(median_s=math.exp(mean), sigma=statistics.pstdev(logarithms, mean))


def fit_pareto(samples_s: tuple[float, ...]) -> Pareto:
    """Return the Pareto law that makes the samples (seconds, above 0) most likely (Hill's estimator on all of them).

    Raises:
        ValueError: there are fewer than two samples, all are the same, or one is not above 0.
    """
    logarithms = _logarithms(samples_s)
    least = min(logarithms)
    excess = math.fsum(logarithm - least for logarithm in logarithms)
    if not excess:
        raise ValueError("a Pareto law cannot be fitted to samples that are all the same: say law = 'fixed'")
    return Pareto(least_s=min(samples_s), alpha=len(samples_s) / excess)


def _logarithms(samples_s: tuple[float, ...]) -> list[float]:
    if len(samples_s) < 2:
        raise ValueError(f"a law cannot be fitted to {len(samples_s)} samples: give at least 2")
    if not all(0 < sample < math.inf for sample in samples_s):
        raise ValueError("a law can be fitted to samples above 0 s alone: leave the others out")
    return [math.log(sample) for sample in samples_s]


def _only_one(sampled: bool, *parameters: float | None) -> bool:
    """Say whether there are samples or else all of the parameters, and not something of both."""
    given = [parameter is not None for parameter in parameters]
    return not any(given) if sampled else all(given)
