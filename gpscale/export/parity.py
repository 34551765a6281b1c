"""Whether an exported model answers as torch does, on real images."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpscale.errors import ParityError
from gpscale.export.base import Answer

if TYPE_CHECKING:
    from torch import nn

LARGEST_DIFFERENCE = 1e-3
"""Of logits, absolute, and relative to the largest; float32 in another order of summation leaves 1e-6 or so."""


@dataclasses.dataclass(frozen=True)
class Parity:
    """How alike two models answer.

    Attributes:
        images: Images that both were given.
        difference: Largest absolute difference of a logit; not finite if a logit is not.
        same_class: Images for which both have the same largest logit.
        largest: Largest absolute logit of torch.

    Example:
        >>> Parity(100, 2e-7, 100, 3.5).holds
        True
    """

    images: int
    difference: float
    same_class: int
    largest: float

    @property
    def holds(self) -> bool:
        """Whether the models are alike; where they are, another class can only be a tie within twice `allowed`."""
        return self.difference <= self.allowed

    @property
    def allowed(self) -> float:
        """Largest difference of models that are alike: logits that are all small may not differ as large ones may."""
        return LARGEST_DIFFERENCE * min(1.0, self.largest)

    def to_dict(self) -> dict[str, Any]:
        """Return the parity as JSON values; no difference where it is not finite."""
        difference = self.difference if math.isfinite(self.difference) else None
        return {**dataclasses.asdict(self), "difference": difference, "largest_allowed": self.allowed}


def compare(expected: Answer, found: Answer, images: NDArray[Any]) -> Parity:
    """Give both models each image by itself, as both are deployed.

    Args:
        expected: torch's model.
        found: The exported one.
        images: float32 (N, 3, height, width), normalised.

    Example:
        >>> import numpy as np
        >>> compare(lambda x: x[:, :, 0, 0], lambda x: x[:, :, 0, 0] + 0.5, np.zeros((4, 3, 1, 1), np.float32))
        Parity(images=4, difference=0.5, same_class=4, largest=0.0)
    """
    pairs = [(expected(image[None]), found(image[None])) for image in images]
    ours, theirs = (np.concatenate(logits).astype(np.float64) for logits in zip(*pairs, strict=True))
    with np.errstate(invalid="ignore"):  # infinity less infinity is not a number, nor is the maximum then
        difference = float(np.abs(ours - theirs).max())
    return Parity(
        images=len(images),
        difference=difference,
        same_class=int((ours.argmax(1) == theirs.argmax(1)).sum()),
        largest=float(np.abs(ours).max()),
    )


def check_parity(parity: Parity, what: str) -> None:
    """Check that an exported model answers as torch does.

    Args:
        parity: How alike they are.
        what: The exported model.

    Raises:
        ParityError: It does not.
    """
    if not parity.holds:
        raise ParityError(
            f"The logits of {what} must be within {parity.allowed:.2g} of torch's. Got a difference of "
            f"{parity.difference:.2g} (torch's logits reach {parity.largest:.2g}), and the same class for "
            f"{parity.same_class} of {parity.images} images. Nothing was written; take another format, or report it."
        )


def answer_of(model: nn.Module) -> Answer:
    """Return a torch model as one that takes and gives arrays."""
    import torch

    def answer(images: NDArray[Any]) -> NDArray[Any]:
        with torch.inference_mode():
            found: NDArray[Any] = model(torch.from_numpy(images)).numpy()
        return found

    return answer
