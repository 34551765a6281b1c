from __future__ import annotations

import json
import subprocess
import sys

import pytest

from gpscale import families
from tests.cli.command import ENVIRONMENT, gpscale_here, gpscale_process


def test_count_as_a_process_prints_the_paper_base_exactly() -> None:
    ran = gpscale_process("count", "mobilevitv2_200@128", "--num-classes", 10, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out) == {
        "model": "mobilevitv2_200@128", "height": 128, "width": 128, "classes": 10,
        "macs": 1_788_700_672, "params": 17_434_579,
    }  # fmt: skip


def test_count_prints_both_numbers_for_people() -> None:
    ran = gpscale_here("count", "mobilevitv2_200@128", "--num-classes", 10)
    assert ran.code == 0
    assert "1,788,700,672   1,788.7M" in ran.out
    assert "17,434,579" in ran.out


def test_count_of_an_image_that_is_not_square_agrees_with_the_flop_counter() -> None:
    ran = gpscale_here("count", "mobilevitv2_050@96x160", "--num-classes", 7, "--check", "--json")
    found = json.loads(ran.out)
    assert (found["height"], found["width"], found["checked"]) == (96, 160, True)
    plain = gpscale_here("count", "mobilevitv2_050@96x160", "--num-classes", 7, "--check").out
    assert f"{found['macs']:,}" in plain
    assert "agrees to the unit" in plain


def test_height_comes_before_width() -> None:
    found = json.loads(gpscale_here("count", "mobilevitv2_200@224x448", "--json").out)
    base, size = families.parse_model("mobilevitv2_200@224x448")
    family = families.get(base.family)
    assert size == (found["height"], found["width"]) == (224, 448)
    assert found["classes"] == 1000
    assert found["macs"] == family.count(family.row(base.architecture)[None], 1000, (224, 448))[0][0]


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['gpscale', '--help']\n"
        "from gpscale.cli import main\n"
        "try: main()\n"
        "except SystemExit as stop: assert not stop.code\n"
        "print('heavy:', *({'numpy', 'pydantic', 'pandas', 'torch', 'scipy', 'matplotlib'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    for command in ("count", "space", "sweep", "status", "fit", "recommend"):
        assert f" {command} " in ran.stdout
    assert ran.stdout.endswith("heavy:\n")


@pytest.mark.parametrize("command", ["count", "space", "sweep", "status", "fit", "recommend"])
def test_every_command_has_help_and_json(command: str) -> None:
    ran = gpscale_here(command, "--help")
    assert ran.code == 0
    assert "--json" in ran.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["cuont"],
        ["count"],
        ["count", "mobilevitv2_200@128", "--num-classes", "0"],
        ["sweep", "x.yaml", "--workers", "0"],
    ],
)
def test_a_command_that_is_used_wrongly_says_how_to_use_it(arguments: list[str]) -> None:
    ran = gpscale_here(*arguments)
    assert ran.code == 2
    assert "Usage" in ran.err
    assert "Traceback" not in ran.err
