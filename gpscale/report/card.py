"""The card of a study: one page that says what to build, how sure that is, and how it was found."""

from __future__ import annotations

from pathlib import Path

from gpscale.report.answer import answer
from gpscale.report.evidence import fidelity, front, rule, surfaces
from gpscale.report.limits import limits
from gpscale.report.making import making
from gpscale.report.markdown import bullets, demoted
from gpscale.report.trust import factors, hidden_band, regret
from gpscale.report.validation_card import evidence
from gpscale.stored import write_atomically
from gpscale.study import Study


def card(study: Study) -> str:
    """Return the card of a fitted study as Markdown; every number in it is read or computed from the study's files.

    The same study gives the same text. Figures are links relative to the study's folder.

    Args:
        study: A fitted study; `NOTES.md` in its folder is quoted where there is one.

    Raises:
        RunDirError: The study has not been fitted.

    Example:
        >>> card(Study("quickstart")).splitlines()[0]
        '# quickstart'
    """
    question = f"> {' '.join(study.question.split())}" if study.question else ""
    sections = {
        "What to build for half the MACs": answer(study),
        "What it cannot say": bullets(limits(study)),
        "Accuracy against MACs": _with_figure(study, "front", front(study)),
        "The rule": _with_figure(study, "rule", rule(study)),
        "How well the surfaces predict": surfaces(study),
        "Does the rule hold where it has seen nothing?": hidden_band(study),
        "Which factors matter?": factors(study),
        "How many trials are enough?": _with_figure(study, "regret", regret(study)),
        "Does the rule beat the habit?": evidence(study),
        "Do longer trainings rank alike?": fidelity(study),
        "How it was made": making(study),
        "How it was chosen": _notes(study),
        "More figures": _other_figures(study),
    }
    parts = [f"# {study.name}", question]
    parts += [f"## {title}\n\n{text}" for title, text in sections.items() if text]
    return "\n\n".join(part for part in parts if part) + "\n"


def write_card(study: Study) -> Path:
    """Write the card beside the study's other files and return where.

    Raises:
        RunDirError: The study has not been fitted.
    """
    write_atomically(study.run.card_file, card(study))
    return study.run.card_file


_SHOWN_ABOVE = ("front", "rule", "regret")


def _with_figure(study: Study, name: str, text: str) -> str:
    return f"{_image(name)}\n\n{text}" if (study.run.figures / f"{name}.png").exists() else text


def _other_figures(study: Study) -> str:
    names = sorted(file.stem for file in study.run.figures.glob("*.png"))
    return "\n\n".join(_image(name) for name in names if name not in _SHOWN_ABOVE)


def _image(name: str) -> str:
    return f"![{name.replace('_', ' ')}](figures/{name}.png)"


def _notes(study: Study) -> str:
    return demoted(study.run.notes_file.read_text(), 2) if study.run.notes_file.exists() else ""
