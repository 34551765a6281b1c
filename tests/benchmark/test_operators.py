"""Where the time goes: every operator of a run is met, classed and added up."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gpscale.benchmark import protocol_of
from gpscale.benchmark.operator_classes import CLASSES, classify, is_memory_bound
from gpscale.benchmark.operators import Breakdown, OperatorTime, Profiler, break_down
from gpscale.errors import RuntimeChoiceError
from gpscale.families.named import find_model

QUICK = protocol_of("gpscale", runs=1, warm_up=0)


class SelfAttention(nn.Module):
    """Attention written out."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.softmax = nn.Linear(8, 24), nn.Softmax(-1)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        return self.softmax(q @ k.transpose(1, 2) * 0.3) @ v  # type: ignore[no-any-return]


class Small(nn.Module):
    """One operator of every class."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, stride=2)
        self.patches = nn.Conv2d(4, 8, 2, stride=2)
        self.conv, self.norm, self.act = nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), nn.ReLU(inplace=True)
        self.attn, self.head = SelfAttention(), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.norm(self.conv(self.patches(self.stem(x)))))
        x = x.flatten(2).transpose(1, 2)
        logits: Tensor = self.head((x + self.attn(x)).mean(1))
        return logits


def profiled(model: nn.Module, runs: int = 3) -> Breakdown:
    model.eval()
    images = torch.zeros(1, 3, 32, 32)

    def run() -> None:
        with torch.inference_mode():
            model(images)

    profiler = Profiler("small", model, run)
    profiler.collect(1)
    profiler.collect(runs)
    return profiler.breakdown()


def test_every_operator_is_met_with_its_module_and_class() -> None:
    found = {(row.module, row.operator, row.work) for row in profiled(Small()).rows}
    assert found == {
        ("stem", "conv2d", "patch embedding"),
        ("patches", "conv2d", "patch embedding"),
        ("conv", "conv2d", "convolution"),
        ("norm", "batch_norm", "normalisation"),
        ("act", "relu_", "activation"),
        ("", "flatten", "reshape"),
        ("", "transpose", "reshape"),
        ("attn.qkv", "linear", "linear"),
        ("attn", "chunk", "reshape"),
        ("attn", "transpose", "reshape"),
        ("attn", "matmul", "attention"),
        ("attn", "mul", "attention"),
        ("attn.softmax", "softmax", "attention"),
        ("", "add", "other"),
        ("", "mean", "other"),
        ("head", "linear", "linear"),
    }


def test_calls_of_one_operator_in_one_module_are_added_up() -> None:
    rows = {(row.module, row.operator): row for row in profiled(Small()).rows}
    assert rows["attn", "matmul"].calls == 2
    assert not rows["attn", "matmul"].memory_bound
    assert rows["attn.softmax", "softmax"].memory_bound


def test_classes_and_the_unassigned_share_make_up_the_whole_run() -> None:
    found = profiled(Small())
    assert sum(found.by_class.values()) + found.unassigned == pytest.approx(found.seconds)
    assert 0 < found.unassigned < found.seconds
    assert list(found.by_class) == list(CLASSES)
    assert all(seconds > 0 for seconds in found.by_class.values())


def test_the_memory_bound_share_is_of_the_time_of_operators() -> None:
    rows = [
        OperatorTime("a", "Conv2d", "conv2d", "convolution", 3.0, 1, False),
        OperatorTime("b", "ReLU", "relu", "activation", 1.0, 1, True),
    ]
    found = Breakdown("x", 8.0, tuple(rows))
    assert found.memory_bound == 0.25
    assert found.unassigned == 4.0
    assert found.to_dict()["unassigned_share"] == 0.5


class Moody(nn.Module):
    """A model that does something else each time."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = 0

    def forward(self, x: Tensor) -> Tensor:
        self.runs += 1
        return x.sin() if self.runs % 2 else x.cos()


def test_a_model_that_does_something_else_each_time_is_refused() -> None:
    with pytest.raises(RuntimeChoiceError, match="same operators in every run"):
        profiled(Moody())


def test_profiling_leaves_no_hooks_behind() -> None:
    model = Small()
    profiled(model, runs=1)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_models_are_timed_and_broken_down_in_their_order() -> None:
    names = ["mobilevitv2_050@32", "mobilenetv1_025@32"]
    timed, found = break_down(names, QUICK, num_classes=5, runs=2)
    assert [row.model for row in timed.rows] == [one.model for one in found] == names
    attention = [one.by_class["attention"] for one in found]
    assert attention[0] > 0
    assert attention[1] == 0


def test_folding_takes_normalisations_out_of_the_breakdown() -> None:
    _, (found,) = break_down(["mobilenetv1_025@32"], protocol_of("msra", batch=1, runs=1, warm_up=0), runs=1)
    assert found.by_class["normalisation"] == 0


@pytest.mark.parametrize(
    ("name", "module", "kind"),
    [
        ("timm:efficientformer_l1", "stages.3.blocks.4.token_mixer", "attention"),
        ("timm:mobilevitv2_050", "stages.2.1.transformer.0.attn", "attention"),
        ("timm:efficientvit_m0", "stages.0.blocks.0.mixer.m.attn", "attention"),
        ("timm:fastvit_sa12", "stages.3.blocks.0", "other"),
        ("timm:swin_tiny_patch4_window7_224", "layers.0.blocks.0", "other"),
        ("edgevit_xxs", "stages.0.1.attention.1", "attention"),
        ("efficientvit_mit_100", "stages.2.1", "other"),
    ],
)
def test_sums_are_attention_in_attention_modules_and_not_in_the_blocks_around_them(
    name: str, module: str, kind: str
) -> None:
    with torch.device("meta"):
        model = find_model(name).build(5)
    parts = module.split(".")
    chain = [model.get_submodule(".".join(parts[:depth])) for depth in range(len(parts) + 1)]
    assert classify("aten::add", module, chain) == kind


def test_what_works_in_place_has_the_class_of_what_does_not() -> None:
    for name in ("relu", "add", "mul", "hardswish", "silu"):
        assert classify(f"aten::{name}_", "", []) == classify(f"aten::{name}", "", [])
        assert is_memory_bound(f"aten::{name}_")
    assert classify("aten::copy_", "", []) == "reshape"


def test_randomness_is_the_callers() -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    break_down(["mobilenetv1_025@32"], QUICK, num_classes=5, runs=1)
    assert torch.equal(before, torch.random.get_rng_state())
