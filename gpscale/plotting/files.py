"""Write the figures of a study to a directory."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from gpscale.plotting.base import StudyLike
from gpscale.plotting.front import plot_front
from gpscale.plotting.line import plot_line
from gpscale.plotting.look import style
from gpscale.plotting.rule import plot_rule
from gpscale.plotting.slices import varying_names
from gpscale.plotting.surface import plot_surface
from gpscale.run_dir import write_atomically

FORMATS = ("png", "svg")

_DPI = 300
# no dates and no versions: the same study gives the same bytes
_METADATA: dict[str, dict[str, Any]] = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}


def draw_all(study: StudyLike, directory: Path) -> list[Path]:
    """Write every figure that a study has, each as PNG and as SVG.

    Figures of an earlier fit that the study no longer has are removed.

    Args:
        study: A fitted study. Without a Pareto set it has no front, without a rule no rule; where one factor varied
            its surface is a line.
        directory: Is made if absent; each file is written atomically.

    Returns:
        The files that were written.
    """
    wanted = _figures(study)
    written = []
    for name, plot in _PLOTS.items():
        if name in wanted:
            written += write_figure(plot(study), directory / name)
        else:
            for kind in FORMATS:
                (directory / f"{name}.{kind}").unlink(missing_ok=True)
    return written


def write_figure(figure: Figure, stem: Path, formats: tuple[str, ...] = FORMATS) -> list[Path]:
    """Write a figure in several formats, atomically; the same figure gives the same bytes.

    Args:
        figure: What to write.
        stem: File name without its ending.
        formats: Endings.
    """
    files = []
    for kind in formats:
        content = io.BytesIO()
        with style():
            figure.savefig(content, format=kind, dpi=_DPI, metadata=_METADATA.get(kind))
        files.append(stem.with_name(f"{stem.name}.{kind}"))
        write_atomically(files[-1], content.getvalue())
    return files


_PLOTS: dict[str, Callable[[StudyLike], Figure]] = {
    "front": plot_front,
    "rule": plot_rule,
    "surface": plot_surface,
    "line": plot_line,
}


def _figures(study: StudyLike) -> set[str]:
    wanted = {"surface" if len(varying_names(study.joint_surface())) > 1 else "line"}
    if study.facts["pareto"] is not None:
        wanted.add("front")
    if not study.facts["rule_missing"]:
        wanted.add("rule")
    return wanted
