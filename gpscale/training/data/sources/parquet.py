"""`parquet`: a folder in the Hugging Face layout, `train*.parquet` and `test*.parquet`.

Each row has a struct with the encoded image in `bytes` (column `image` or `img`) and an integer label (`label`,
`labels` or `fine_label`); the names of the classes come from the Hugging Face metadata where they stand there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpscale.errors import DataError
from gpscale.training.data.sources.base import Item, SourceRequest, register

IMAGE_COLUMNS = ("image", "img")
LABEL_COLUMNS = ("label", "labels", "fine_label")
BATCH_ROWS = 512


class ParquetImages:
    """Images in the rows of Parquet files; a `Source`."""

    files: tuple[Path, ...] | None = None

    def __init__(self, shards: list[Path]) -> None:
        """Read schema and labels of all files, no image.

        Raises:
            DataError: A file is corrupt, or lacks the columns.
        """
        import pyarrow
        import pyarrow.parquet

        self._shards = shards
        labels, names, starts = [], None, [0]
        for shard in shards:
            try:
                file = pyarrow.parquet.ParquetFile(shard)
                self._image_column, label_column = _columns(file.schema_arrow, shard)
                names = names or _class_names(file.schema_arrow, label_column)
                column = file.read([label_column]).column(0)
                if column.null_count:
                    raise pyarrow.ArrowInvalid(f"{column.null_count} rows without a label")
                labels.append(np.asarray(column.cast(pyarrow.int64()).to_numpy(), np.int64))
            except (pyarrow.ArrowException, OSError) as error:
                raise DataError(
                    f"{shard} must be a readable Parquet file of labelled images. Got: {error}. Copy it again."
                ) from error
            starts.append(starts[-1] + len(column))
        self._starts = starts
        self.labels, self.class_names = _dense(np.concatenate(labels), names)
        stats = [(shard.name, shard.stat().st_size, shard.stat().st_mtime_ns) for shard in shards]
        self.stamp = json.dumps([str(shards[0].parent.resolve()), stats])

    def items(self, indices: NDArray[np.int64]) -> Iterator[Item]:
        """Yield the encoded images, reading the files from front to back.

        Raises:
            DataError: A file is corrupt.
        """
        import pyarrow
        import pyarrow.parquet

        wanted = np.zeros(len(self.labels), bool)
        wanted[indices] = True
        for shard, start in zip(self._shards, self._starts, strict=False):
            row = start
            try:
                for batch in pyarrow.parquet.ParquetFile(shard).iter_batches(BATCH_ROWS, columns=[self._image_column]):
                    chosen = np.flatnonzero(wanted[row : row + len(batch)])
                    row += len(batch)
                    for image in batch.column(0).take(pyarrow.array(chosen)).to_pylist():
                        # a missing image is one that cannot be decoded: the store names it
                        yield (image or {}).get("bytes") or b""
            except (pyarrow.ArrowException, OSError) as error:
                raise DataError(f"{shard} must be a readable Parquet file. Got: {error}. Copy it again.") from error

    def name(self, index: int) -> str:
        """Name an image by its file and row."""
        shard = int(np.searchsorted(self._starts, index, side="right")) - 1
        return f"{self._shards[shard].name} row {index - self._starts[shard]}"


@register("parquet")
def open_parquet(request: SourceRequest) -> ParquetImages:
    """Open the Parquet files of one split.

    Raises:
        DataError: There are none, or one is corrupt or lacks the columns.
    """
    root = request.require_root()
    # the layout of the hub puts the files in `data/`
    shards = sorted(root.glob(f"{request.split}*.parquet")) or sorted(root.glob(f"data/{request.split}*.parquet"))
    if not shards:
        raise DataError(
            f"`data.root` must hold {request.split}*.parquet. Got {str(root)!r}, which has none. Correct the path, or "
            "choose the source that fits the folder."
        )
    return ParquetImages(shards)


def _columns(schema: Any, shard: Path) -> tuple[str, str]:
    image = next((name for name in IMAGE_COLUMNS if name in schema.names), None)
    label = next((name for name in LABEL_COLUMNS if name in schema.names), None)
    kind = schema.field(image).type if image else None
    has_bytes = kind is not None and any(field.name == "bytes" for field in (kind if kind.num_fields else ()))
    if image is None or label is None or not has_bytes:
        raise DataError(
            f"{shard} must have a column {' or '.join(IMAGE_COLUMNS)} with a field `bytes`, and an integer column "
            f"{' or '.join(LABEL_COLUMNS)}. Got {', '.join(schema.names)}. Rename the columns."
        )
    return image, label


def _class_names(schema: Any, label_column: str) -> list[str] | None:
    try:
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        names = features[label_column]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    return [str(name) for name in names]


def _dense(labels: NDArray[np.int64], names: list[str] | None) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Number the classes from 0; without names, a class is called by its stored label."""
    if len(labels) and (labels < 0).any():
        raise DataError(
            f"Labels must not be negative. Got {int(labels.min())}. A test split without labels cannot be used."
        )
    if names is not None and (len(labels) == 0 or labels.max() < len(names)):
        return labels, tuple(names)
    values, dense = np.unique(labels, return_inverse=True)
    return dense.astype(np.int64), tuple(str(value) for value in values)
