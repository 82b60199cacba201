"""How far generated pictures are from true ones, as distributions in an evaluator's feature space."""

from __future__ import annotations

import numpy as np


def frechet(one_ND: np.ndarray, other_ND: np.ndarray) -> float:
    """The Fréchet distance of two Gaussians with the samples' means and covariances, as in the FID.

    Biased upwards where samples are few: compare only distances of equally many.
    """
    a, b = np.cov(one_ND, rowvar=False), np.cov(other_ND, rowvar=False)
    values, vectors = np.linalg.eigh(a)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    trace_of_root = np.sqrt(np.linalg.eigvalsh(root @ b @ root).clip(0)).sum()
    gap = one_ND.mean(0) - other_ND.mean(0)
    return float(gap @ gap + np.trace(a) + np.trace(b) - 2 * trace_of_root)


def kernel(one_ND: np.ndarray, other_ND: np.ndarray) -> float:
    """The squared maximum mean discrepancy under a cubic kernel, as in the KID: unbiased, so it can fall below 0."""
    return _within(one_ND) + _within(other_ND) - 2 * float(_likeness(one_ND, other_ND).mean())


def _likeness(one_ND: np.ndarray, other_ND: np.ndarray) -> np.ndarray:
    alike: np.ndarray = (one_ND @ other_ND.T / one_ND.shape[1] + 1) ** 3
    return alike


def _within(features_ND: np.ndarray) -> float:
    alike, n = _likeness(features_ND, features_ND), len(features_ND)
    return float((alike.sum() - np.trace(alike)) / (n * (n - 1)))
