"""Weights that timm has for the stock models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from gpscale.errors import PretrainedError


def pretrained_weights(name: str, num_classes: int) -> Mapping[str, Any]:
    """Return timm's weights of a model, downloaded if need be.

    Args:
        name: timm's name of it.
        num_classes: Outputs of the classifier; other than that of the weights, it stays random, as in timm.

    Raises:
        PretrainedError: The weights cannot be had.
    """
    import timm

    try:
        return cast(Mapping[str, Any], timm.create_model(name, pretrained=True, num_classes=num_classes).state_dict())
    except (OSError, RuntimeError) as error:
        raise PretrainedError(
            f"The weights of {name} must be at hand or downloadable. Got {type(error).__name__}: {error}. "
            "Check the connection, or build with pretrained=False."
        ) from error
