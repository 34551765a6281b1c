"""Execute a notebook, and store its outputs in it:

    python -m tests.notebooks.execute notebooks/explore_study.ipynb

What is stored depends on the study and the versions of the libraries alone: no times, no ids of widgets. A page that
cannot run the notebook shows the picture that each panel carries.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

WIDGET = "application/vnd.jupyter.widget-view+json"

_TIMEOUT = 300
"""Seconds for a kernel to start, and for a cell: a busy machine is no fault of a notebook."""


def execute(notebook: Path, study: str | None = None, extra: Sequence[str] = ()) -> NotebookNode:
    """Run a notebook in a kernel of its own.

    Args:
        notebook: The file; it is not written.
        study: Replaces the study of the first cell.
        extra: Code of cells to run after those of the notebook.

    Raises:
        CellExecutionError: A cell has failed.
    """
    content = nbformat.read(notebook, as_version=4)
    if study is not None:
        first = next(cell for cell in content.cells if cell.cell_type == "code")
        lines = first.source.splitlines()
        assert lines[0].startswith("STUDY = ")
        first.source = "\n".join([f"STUDY = {study!r}", *lines[1:]])
    content.cells.extend(nbformat.v4.new_code_cell(code) for code in extra)
    client = NotebookClient(
        content,
        timeout=_TIMEOUT,
        startup_timeout=_TIMEOUT,
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(notebook.parent)}},
    )
    return client.execute()


def still(content: NotebookNode) -> NotebookNode:
    """Leave the pictures of panels, and take away the panels themselves, which need a kernel."""
    for cell in content.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if data.pop(WIDGET, None):
                del data["text/plain"]
    # the version of Python would change the file with every machine
    content.metadata.language_info = {"name": "python"}
    return content


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        nbformat.write(still(execute(path)), path)
