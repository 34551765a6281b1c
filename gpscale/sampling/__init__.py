"""Samplers: which architectures a sweep trains."""

from gpscale.sampling import fixed_macs as fixed_macs
from gpscale.sampling import random as random
from gpscale.sampling import sobol as sobol
from gpscale.sampling.base import Band, Sampler, make, names, plan

__all__ = ["Band", "Sampler", "make", "names", "plan"]
