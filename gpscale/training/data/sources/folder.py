"""`folder`: one folder for each class, `root/train/<class>/*` and `root/test/<class>/*`, or `root/<class>/*`."""

from __future__ import annotations

from pathlib import Path

from gpscale.errors import DataError
from gpscale.training.data.sources.base import SourceRequest, register
from gpscale.training.data.sources.image_files import ImageFiles

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
TEST_FOLDERS = ("test", "val")


@register("folder")
def open_folder(request: SourceRequest) -> ImageFiles:
    """Open the image folder of one split.

    Raises:
        DataError: The folder is missing or has no images, or no test images where these are asked for.
    """
    root = request.require_root()
    train = root / "train"
    if request.split == "train":
        return _listed(classes_in(root))
    for name in TEST_FOLDERS:
        if train.is_dir() and (root / name).is_dir():
            return _listed(root / name)
    raise DataError(
        f"A test split must lie in {str(root / 'test')!r}, beside {str(train)!r}. Got neither or one only. Set some "
        "images apart there."
    )


def classes_in(root: Path) -> Path:
    """Return the directory below which each folder is a class of the training images."""
    train = root / "train"
    return train if train.is_dir() else root


def _listed(root: Path) -> ImageFiles:
    folders = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not folders:
        raise DataError(
            f"`data.root` must hold one folder for each class. Got {str(root)!r}, which has none. Correct the path."
        )
    files: list[Path] = []
    labels: list[int] = []
    for label, folder in enumerate(folders):
        found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not found:
            raise DataError(
                f"Every class folder must hold images ({' '.join(SUFFIXES)}). Got none in {str(folder)!r}. Add some, "
                "or remove the folder."
            )
        files += found
        labels += [label] * len(found)
    return ImageFiles(root, files, labels, [folder.name for folder in folders])
