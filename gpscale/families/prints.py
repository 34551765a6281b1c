"""What papers print of the models of our families, and why a print cannot be had where it cannot.

Numbers are kept as printed, so that their digits say how sharp they are. Counters differ in what they count beside
convolutions and products of matrices, and that explains many prints: what one more for each output that has a bias
gives was counted with ptflops 0.7.5, what normalisations and pooling give with fvcore 0.1.5.
"""

from __future__ import annotations

import dataclasses

from gpscale.units import parse_macs

EDGEVIT = "EdgeViT"
FORMER = "EfficientFormer"
GP = "method paper"
MIT = "EfficientViT-MIT"
MSRA = "EfficientViT-MSRA"

PAPERS = {
    EDGEVIT: "Pan et al., EdgeViTs: Competing Light-weight CNNs on Mobile Devices with Vision Transformers (2022)",
    FORMER: "Li et al., EfficientFormer: Vision Transformers at MobileNet Speed (2022)",
    GP: "Meng and Chen, Navigating Efficiency of MobileViT through GP on Global Architecture Factors (2024)",
    MIT: "Cai et al., EfficientViT: Enhanced Linear Attention for High-Resolution Visual Recognition (2022)",
    MSRA: "Liu et al., EfficientViT: Memory Efficient Vision Transformer with Cascaded Group Attention (2023)",
}
"""What prints are of, by the short names that they are listed with."""


@dataclasses.dataclass(frozen=True)
class Print:
    """What one paper prints of one model.

    Attributes:
        model: Name with pixels.
        where: Paper, by its short name, and table.
        params: Parameters as printed, for example `"4.1M"`; empty where the paper has none.
        macs: Multiply-accumulates as printed, the same.
        num_classes: Outputs of the classifier that the print is of.
        why: Why it cannot be reproduced; empty where it can be.
        note: What else there is to say of it.
    """

    model: str
    where: str
    params: str = ""
    macs: str = ""
    num_classes: int = 1000
    why: str = ""
    note: str = ""


def agrees(count: int, printed: str) -> bool:
    """Say whether a count has the digits of a print, rounded (a half either way) or cut off.

    Example:
        >>> agrees(1_291_284_736, "1.3G"), agrees(1_249_000_000, "1.3G"), agrees(1_349_000_000, "1.2G")
        (True, False, False)
    """
    decimals = len(printed[:-1].partition(".")[2])
    last_digit = parse_macs(f"1{printed[-1]}") / 10.0**decimals
    above = count - parse_macs(printed)
    return -last_digit / 2 <= above < last_digit


_DEPTHS = "the depths of its table 1 have {macs} MACs; ours are those that have the printed MACs"
_BIASES = "with one more for each output that has a bias it is {macs}"
_NORMS = "with normalisations and pooling it is {macs}"
_MEANS = "with one more for each value that is averaged it is {macs}"
_WEIGHTS = "the published weights are as many as we count; without those of normalisations they are {params}"
_XS = "papers print 0.7 G, 986 M and 1.1 G for 256 px, and all but EdgeViT's the 2.3 M parameters that it has"

PRINTS = (
    Print("edgevit_xxs@224", f"{EDGEVIT}, table 1", "4.1M", "0.56G", why=_BIASES.format(macs="556.2 M")),
    Print("edgevit_xxs@224", f"{MSRA}, table 2", "4.1M", "556M", why=_BIASES.format(macs="556.2 M")),
    Print("edgevit_xs@224", f"{EDGEVIT}, table 1", "6.7M", "1.1G", note=_DEPTHS.format(macs="990 M")),
    Print(
        "edgevit_s@224",
        f"{EDGEVIT}, table 1",
        "11.1M",
        "1.9G",
        why="11.1M is a misprint: its tables 5 and 6 have 6.3 M between S and XS in every column, which makes 13.1 M",
        note=_DEPTHS.format(macs="1,370 M"),
    ),
    Print("efficientformer_l1@224", f"{FORMER}, table 1", "12.3M", "1.3G"),
    Print("efficientformer_l3@224", f"{FORMER}, table 1", "31.3M", "3.9G", why=_WEIGHTS.format(params="31.34 M")),
    Print(
        "efficientformer_l7@224",
        f"{FORMER}, table 1",
        "82.1M",
        "10.2G",
        why=f"{_WEIGHTS.format(params='82.11 M')}; 10.2G: {_NORMS.format(macs='10,165.5 M')}",
    ),
    Print(
        "efficientvit_mit_100@192",
        f"{MIT}, table 3",
        "7.9M",
        "304M",
        why="304M contradicts 406M at 224 px, which we have; no reading of its channels and depths has 7.9M",
    ),
    Print(
        "efficientvit_mit_100@224",
        f"{MIT}, table 3",
        "7.9M",
        "406M",
        why="no reading of its channels and depths has 7.9M",
    ),
    Print(
        "efficientvit_mit_120@224",
        f"{MIT}, table 3",
        "10.9M",
        "584M",
        why="no reading of its channels and depths has 10.9M; how channels are rounded is not said",
    ),
    Print("efficientvit_m0@224", f"{MSRA}, table 2", "2.3M", "79M"),
    Print("efficientvit_m1@224", f"{MSRA}, table 2", "3.0M", "167M"),
    Print("efficientvit_m2@224", f"{MSRA}, table 2", "4.2M", "201M"),
    Print("efficientvit_m3@224", f"{MSRA}, table 2", "6.9M", "263M"),
    Print("efficientvit_m4@224", f"{MSRA}, table 2", "8.8M", "299M"),
    Print("efficientvit_m5@224", f"{MSRA}, table 2", "12.4M", "522M"),
    Print(
        "efficientvit_m5@384",
        f"{MSRA}, table 2 (as M4)",
        "12.4M",
        "1486M",
        why="windows of 12 x 12 have 1,485.5 M; ours of 6 x 6 pad nothing and cost less",
    ),
    Print(
        "efficientvit_m5@512",
        f"{MSRA}, table 2",
        "12.4M",
        "2670M",
        why="no size of windows has it (6: 2,699.0 M, 7: 2,799.8 M, 8: 2,602.8 M, 12: 2,830.7 M)",
    ),
    Print(
        "fastvit_sa12@256",
        f"{GP}, tables 5 and 6",
        macs="1.9G",
        note="which FastViT is not said; this one has the printed MACs",
    ),
    Print("mobilenetv1_100@224", f"{GP}, table 1", "3.309M", num_classes=100),
    Print("mobilenetv2_100@224", f"{GP}, table 1", "2.352M", num_classes=100),
    Print("mobilenetv2_100@224", f"{MSRA}, table 2", "3.4M", "300M", why="EfficientFormer's table 1 prints 3.5M"),
    Print("mobilenetv2_140@224", f"{FORMER}, table 1", "6.1M", "0.6G"),
    Print("mobilenetv3_small_100@224", f"{MSRA}, table 2", "2.5M", "57M"),
    Print("mobilenetv3_large_075@224", f"{EDGEVIT}, table 2", "4.0M", "0.16G", why=_NORMS.format(macs="162.6 M")),
    Print("mobilenetv3_large_100@224", f"{MSRA}, table 2", "5.4M", "217M"),
    Print("mobilenetv3_large_125@224", f"{MIT}, table 3", "7.5M", "356M", why=_MEANS.format(macs="356.0 M")),
    Print(
        "mobilevit_xxs@256",
        f"{MSRA}, table 2",
        "1.3M",
        "410M",
        why=f"{_BIASES.format(macs='409.0 M')}, and 0.41 G if only those digits count",
    ),
    Print(
        "mobilevit_xs@256",
        f"{MSRA}, table 2",
        "2.3M",
        "986M",
        why=_XS,
    ),
    Print(
        "mobilevit_xs@256",
        f"{FORMER}, table 1",
        "2.3M",
        "0.7G",
        why=_XS,
    ),
    Print("mobilevit_xs@256", f"{EDGEVIT}, table 2", "2.4M", "1.1G", why=_XS),
    Print("mobilevit_s@256", f"{EDGEVIT}, table 2", "5.6M", "2.0G"),
    Print("mobilevitv2_050@256", f"{MSRA}, table 2", "1.4M", "466M", why=_BIASES.format(macs="466.1 M")),
    Print("mobilevitv2_075@256", f"{MSRA}, table 2", "2.9M", "1030M", why=_BIASES.format(macs="1,030.3 M")),
    Print("mobilevitv2_200@128", f"{GP}, table 3", "17.43M", num_classes=10),
    Print(
        "mobilevitv2_200@128",
        f"{GP}, tables 1 and 4",
        "17.43M",
        num_classes=100,
        why="17.43M is the model with 10 classes",
    ),
    Print(
        "mobilevitv2_200@128",
        f"{GP}, tables 5 and 6",
        macs="1.9G",
        num_classes=200,
        why="neither base, pixels nor counter are said; this one is the nearest",
    ),
)
