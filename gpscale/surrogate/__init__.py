"""Surfaces of accuracy: Gaussian processes over the factors.

`fit.py` is the only file here that imports torch, and only when something is fitted. A stored surface predicts with
numpy alone.
"""
