"""Which images a sweep trains on, and how they are split."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ByteSize, ConfigDict, Field, field_validator

from gpscale.training.data.sources import check_name
from gpscale.training.data.sources.base import SourceRequest, SplitName


class DataConfig(BaseModel):
    """The data set of a sweep.

    Raises:
        UnknownNameError: `source` is not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(
        default="digits", description="digits, folder, parquet, or a torchvision set: cifar10, fashion_mnist, stl10 ..."
    )
    root: Path | None = Field(default=None, description="Where the set lies; a torchvision set is downloaded to it.")
    download: bool = Field(default=False, description="Fetch a torchvision set that is absent.")
    train_images: int | None = Field(
        default=None,
        ge=2,
        description="At most so many training images, the same share of every class; null takes all.",
    )
    validation: float = Field(default=0.2, gt=0.0, lt=1.0, description="Share of every class that validates.")
    validation_images: int | None = Field(
        default=None,
        ge=2,
        description="At most so many validation images, the same share of every class; null takes all.",
    )
    split_seed: int = Field(default=0, ge=0, description="Decides which images validate; shared by all trials.")
    stored_pixels: int | None = Field(
        default=None,
        ge=4,
        le=4096,
        description="Side of the stored images, pixels; null keeps the own size of square images that all have one "
        "size, and takes the largest side that the sweep trains at for all others.",
    )
    memory_cap: ByteSize = Field(
        default=ByteSize(4 * 2**30),
        validate_default=True,
        description="Decoded images of more bytes (or MiB, GiB ...) are not stored but decoded again while training.",
    )
    stream_workers: int = Field(
        default=1, ge=0, le=64, description="Processes of each trial that decode images, where they are not stored."
    )

    @field_validator("source")
    @classmethod
    def _source_is_known(cls, value: str) -> str:
        return check_name(value)

    def request(self, split: SplitName = "train") -> SourceRequest:
        """Return what to read from the source."""
        return SourceRequest(self.source, self.root, self.download, split)
