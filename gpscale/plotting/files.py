"""Write the figures of a study to a directory."""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from gpscale.plotting.base import StudyLike
from gpscale.plotting.catalogue import FIGURES, every, figure
from gpscale.plotting.look import style
from gpscale.stored import write_atomically

FORMATS = ("png", "svg")
"""What is written where nobody chose."""

_DPI = 300
# no dates and no versions: the same study gives the same bytes
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
KNOWN_FORMATS = tuple(_METADATA)


def draw_all(study: StudyLike, directory: Path) -> list[Path]:
    """Write every figure that a study can have, each as PNG and as SVG.

    Figures of an earlier fit that the study no longer has are removed.

    Args:
        study: A fitted study. Without a Pareto set it has no front, without a rule no rule; where one factor varied
            its surface is a line.
        directory: Is made if absent; each file is written atomically.

    Returns:
        The files that were written.

    Example:
        >>> from gpscale import Study
        >>> from gpscale.run_dir import RunDir
        >>> draw_all(Study(RunDir("runs/absent")), Path("figures"))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        gpscale.errors.RunDirError: runs/absent/study.json must exist. ...
    """
    drawn, missing = every(functools.partial(figure, study), FIGURES)
    for name in missing:
        for kind in KNOWN_FORMATS:
            (directory / f"{name}.{kind}").unlink(missing_ok=True)
    return [file for name, found in drawn.items() for file in write_figure(found, directory / name)]


def write_figure(drawn: Figure, stem: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write a figure in several formats, atomically; the same figure gives the same bytes.

    Args:
        drawn: What to write.
        stem: File name without its ending.
        formats: Endings, of `KNOWN_FORMATS`.
    """
    files = []
    for kind in formats:
        content = io.BytesIO()
        with style():
            drawn.savefig(content, format=kind, dpi=_DPI, metadata=_METADATA[kind])
        files.append(stem.with_name(f"{stem.name}.{kind}"))
        write_atomically(files[-1], content.getvalue())
    return files
