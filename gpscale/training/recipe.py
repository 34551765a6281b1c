"""The recipe: everything that fixes a training except architecture, data and seed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class RandAugment(BaseModel):
    """Strength of RandAugment.

    Source: Cubuk et al. 2020, "RandAugment", section 3.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_ops: int = Field(default=2, ge=1, le=10, description="Operations applied to each image, one after the other.")
    magnitude: int = Field(default=9, ge=0, le=30, description="Strength of every operation, 0 to 30.")


class Recipe(BaseModel):
    """Everything that decides a training's result besides architecture, data and seed.

    Lengths (warm-up, EMA) are fractions of the run, and the learning rate follows the batch size, so that a short run
    and a long one are the same recipe at another `epochs`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(default=10, ge=1, le=10_000, description="Passes over the training images.")
    batch_size: int = Field(
        default=128,
        ge=2,
        le=65_536,
        description="Images per step; no more than there are. A ragged last batch is left out.",
    )
    learning_rate: float = Field(
        default=2e-3, gt=0.0, le=10.0, description="Peak learning rate of a batch of `learning_rate_batch` images."
    )
    learning_rate_batch: int = Field(default=256, ge=1, description="Batch size that `learning_rate` is given for.")
    learning_rate_scaling: Literal["sqrt", "linear", "none"] = Field(
        default="sqrt", description="How the peak follows the batch size: its square root, itself, or not at all."
    )
    final_learning_rate: Fraction = Field(default=0.01, description="Where the cosine ends, as a fraction of the peak.")
    warmup: Fraction = Field(
        default=0.1, description="Fraction of the steps in which the rate rises linearly to its peak."
    )
    weight_decay: float = Field(
        default=0.05, ge=0.0, le=10.0, description="AdamW's decoupled decay; norms and biases are exempt."
    )
    beta1: float = Field(default=0.9, ge=0.0, lt=1.0, description="AdamW's decay of the gradient's mean.")
    beta2: float = Field(default=0.999, ge=0.0, lt=1.0, description="AdamW's decay of the gradient's square.")
    gradient_clip: float | None = Field(
        default=5.0, gt=0.0, description="Largest norm of all gradients together; null switches clipping off."
    )
    label_smoothing: float = Field(
        default=0.1, ge=0.0, lt=1.0, description="Share of the target spread over all classes."
    )
    ema: bool = Field(
        default=True, description="Keep an exponential moving average of the weights and report it as the result."
    )
    ema_horizon: Fraction = Field(
        default=0.1, description="Length of the average, as a fraction of the steps: decay = 1 - 1 / (horizon * steps)."
    )
    crop: Literal["pad", "resized", "none"] = Field(
        default="pad",
        description="pad: shift by up to `crop_padding`, mirrored at the border; resized: random box, resized.",
    )
    crop_padding: float = Field(
        default=0.125, ge=0.0, le=0.5, description="Largest shift of a pad-crop, as a fraction of the stored side."
    )
    crop_scale_low: float = Field(
        default=0.35, gt=0.0, le=1.0, description="Smallest share of the area of a resized crop."
    )
    flip: bool = Field(default=True, description="Mirror half of the training images left to right.")
    randaugment: RandAugment | None = Field(
        default=None, description="RandAugment for each image; null switches it off."
    )
    mixup: float = Field(default=0.0, ge=0.0, le=10.0, description="Mixup's alpha; 0 switches it off.")
    channels_last: bool = Field(default=True, description="Memory order of images and weights; rounding depends on it.")
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="Number format of the forward pass (autocast); weights stay float32."
    )
