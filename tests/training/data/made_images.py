"""Small data sets, written in the layouts that people have."""

import gzip
import io
import json
import struct
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
from PIL import Image


def picture(seed: int, width: int = 20, height: int = 16) -> Image.Image:
    """A smooth random picture, which JPEG keeps nearly as it is."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def write_folder(root: Path, classes=("cat", "dog"), per_class: int = 6, kind: str = "PNG", **size) -> Path:
    for label, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for index in range(per_class):
            content = encoded(picture(1000 * label + index, **size), kind)
            (root / name / f"{index:05d}.{kind.lower()}").write_bytes(content)
    return root


def write_parquet(file: Path, images: list[bytes], labels: list[int], names=None, columns=("image", "label")) -> None:
    features = {columns[1]: {"_type": "ClassLabel", "names": names}} if names else {}
    table = pyarrow.table(
        {
            columns[0]: pyarrow.array([{"bytes": image, "path": None} for image in images]),
            columns[1]: pyarrow.array(labels, pyarrow.int64()),
        }
    ).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    file.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(table, file, row_group_size=4)


def write_mnist(root: Path, images: np.ndarray, labels: np.ndarray, split: str = "train") -> None:
    """Write uint8 (N, 28, 28) and labels in the IDX format, as torchvision finds them."""
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    prefix = "train" if split == "train" else "t10k"
    header = struct.pack(">IIII", 0x803, *images.shape)
    (folder / f"{prefix}-images-idx3-ubyte").write_bytes(header + images.tobytes())
    (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, len(labels)) + labels.tobytes())
    for path in folder.glob(f"{prefix}-*-ubyte"):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
