"""A file of settings: YAML, checked as a whole, every fault named; each kind of experiment has one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import yaml
from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError

from gpscale.errors import GpscaleError, SweepFileError
from gpscale.stored import opening_comment
from gpscale.sweep.faults import explain
from gpscale.sweep.yaml_text import read_yaml


class Section(BaseModel):
    """Settings that belong together; none but the known ones, and only finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SettingsFile(Section):
    """What a YAML file says.

    Attributes:
        kind: What the file is called in messages.
        free_to_change: Settings, by dotted name, that may differ when what the file describes is continued.
        came_later: Settings, by dotted name, that files of earlier versions lack.
    """

    kind: ClassVar[str]
    free_to_change: ClassVar[Sequence[str]] = ()
    came_later: ClassVar[Sequence[str]] = ()
    _question: str = PrivateAttr("")

    @property
    def question(self) -> str:
        """The comment that opens the file: what it asks and what it costs; empty where there is none."""
        return self._question

    @classmethod
    def load(cls, path: str | os.PathLike[str], overrides: Iterable[str] = ()) -> Self:
        """Read a file.

        Args:
            path: YAML file.
            overrides: `"a.b=value"` each, the value in YAML; applied in order.

        Raises:
            SweepFileError: The file is absent, no YAML, or not legal.
        """
        try:
            text = Path(path).read_text()
            values = read_yaml(text)
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise SweepFileError(f"A {cls.kind} must be readable. Got {path}: {why}. Correct the path.") from None
        except yaml.YAMLError as error:
            raise SweepFileError(f"A {cls.kind} must be YAML. Got {path}: {error}. Correct it there.") from None
        if not isinstance(values, dict):
            raise SweepFileError(
                f"A {cls.kind} must hold keys and values. Got {path} with {values!r}. Start with "
                f"`{next(iter(cls.model_fields))}: ...`."
            )
        apply_overrides(values, overrides)
        config = cls.from_values(values)
        config._question = opening_comment(text)
        return config

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Check the values of a file.

        Raises:
            SweepFileError: Something is not legal; every fault is named.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            faults = [explain(cls, fault) for fault in error.errors()]
            raise SweepFileError("\n".join(dict.fromkeys(faults))) from None
        except GpscaleError as error:
            raise SweepFileError(str(error)) from error

    def resolved(self) -> Self:
        """Return the same settings with every default that depends on others written out."""
        return self

    def to_yaml(self) -> str:
        """Write the file with every default, opened by its comment."""
        comment = "".join(f"# {line}".rstrip() + "\n" for line in self.question.splitlines())
        return comment + yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)

    @classmethod
    def check_whole(cls, path: Path) -> None:
        """Check a file that `to_yaml` has written: a part of one may be legal, too, and another experiment.

        Raises:
            SweepFileError: The file cannot be read, is not legal, or lacks settings.
        """
        written = cls.load(path).model_dump(mode="json")
        missing = [name for name in _missing(written, yaml.safe_load(path.read_text())) if name not in cls.came_later]
        if missing:
            raise SweepFileError(
                f"A {cls.kind} of a run must hold every setting. {path} lacks {', '.join(missing)}. Put the whole file "
                "back."
            )

    def differences(self, other: Self, free: Sequence[str] | None = None) -> dict[str, tuple[Any, Any]]:
        """Return the settings, by dotted name, that make `other` another experiment: (own value, its value).

        Args:
            other: What to compare with.
            free: Settings that may differ; None for those that are free to change.
        """
        free = self.free_to_change if free is None else free
        own, its = (flat(config.resolved().model_dump(mode="json")) for config in (self, other))
        return {
            key: (own.get(key), its.get(key))
            for key in sorted(own.keys() | its.keys())
            if own.get(key) != its.get(key) and not any(key == name or key.startswith(f"{name}.") for name in free)
        }


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values under dotted names."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        result.update(flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value})
    return result


def _missing(written: Mapping[str, Any], read: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return what a file lacks of what would be written, by dotted name."""
    missing: list[str] = []
    for key, value in written.items():
        if key not in read:
            missing.append(f"{prefix}{key}")
        elif isinstance(value, Mapping) and isinstance(read[key], Mapping):
            missing += _missing(value, read[key], f"{prefix}{key}.")
    return missing


def apply_overrides(values: dict[str, Any], overrides: Iterable[str]) -> None:
    """Change nested values in place.

    Args:
        values: What a file says.
        overrides: `"a.b=value"` each, the value in YAML; applied in order.

    Raises:
        SweepFileError: One cannot be read, or names what is no section.
    """
    for override in overrides:
        _apply(values, override)


def _apply(values: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise SweepFileError(f"--set needs KEY=VALUE. Got {override!r}. Write `--set recipe.epochs=3`, for example.")
    target = values
    for key in keys[:-1]:
        target = target.setdefault(key, {})
        if not isinstance(target, dict):
            raise SweepFileError(
                f"--set {override!r} must name a setting. {key!r} is a value, not a section. Shorten the name."
            )
    try:
        target[keys[-1]] = read_yaml(text)
    except yaml.YAMLError as error:
        raise SweepFileError(f"--set needs a YAML value. Got {override!r}: {error}. Quote it.") from None
