"""What kind of work an operator does, by its name and by the modules that it runs in.

The classes are those of EfficientFormer's figure 2, with convolution beside them. An operator is what a model calls:
what it calls in turn belongs to it. The first rule that fits decides:

| class | operators |
|---|---|
| reshape | views, permutations, concatenations, slices, paddings, copies, wherever they are |
| normalisation | batch, layer and group normalisation, and what else a normalisation's module does |
| patch embedding | convolutions that do not overlap, and those of a stem or patch embedding |
| convolution | all others, 1 x 1 among them |
| linear | linear layers |
| activation | ReLU, GELU, SiLU, ... |
| attention | products of matrices, softmax and all else inside an attention's module |
| other | element-wise sums and products, pooling, interpolation |

Memory-bound is what has no product of matrices and no convolution: EfficientViT-MSRA's section 2.1 counts reshaping,
element-wise operations, copying and normalisation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

CLASSES = (
    "patch embedding",
    "convolution",
    "attention",
    "linear",
    "reshape",
    "normalisation",
    "activation",
    "other",
)


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_RESHAPE = _names(
    "alias as_strided cat chunk clone concat contiguous copy_ detach expand expand_as flatten flip fold gather im2col "
    "index index_select movedim narrow pad permute pixel_shuffle pixel_unshuffle constant_pad_nd repeat reshape "
    "reshape_as resolve_conj roll select slice split split_with_sizes squeeze stack swapaxes t tile to transpose "
    "type_as unbind unflatten unfold unsafe_chunk unsqueeze view view_as _reshape_alias _to_copy _unsafe_view"
)
_NORMALISATION = _names(
    "batch_norm cudnn_batch_norm group_norm instance_norm layer_norm miopen_batch_norm native_batch_norm "
    "native_group_norm native_layer_norm rms_norm _fused_rms_norm"
)
_CONVOLUTION = _names(
    "conv1d conv2d conv3d conv_transpose1d conv_transpose2d convolution _convolution mkldnn_convolution "
    "cudnn_convolution thnn_conv2d"
)
_LINEAR = _names("addmm addmv linear mv")
_PRODUCTS = _names(
    "baddbmm bmm dot einsum matmul mm scaled_dot_product_attention _scaled_dot_product_attention "
    "_native_multi_head_attention _transformer_encoder_layer_fwd"
)
_ACTIVATION = _names(
    "celu elu gelu glu hardsigmoid hardswish hardtanh leaky_relu mish prelu relu relu6 selu sigmoid silu softplus tanh"
)
_ACTIVATION_FILE = re.compile(r"\.activations?(_me)?$")
_ATTENTION_MODULE = re.compile(r"attention|attn|mhsa", re.IGNORECASE)
# a block has its feed-forward layers too
_MORE_THAN_ATTENTION = re.compile(r"(block|layer|stage|encoder|transformer)\d*d?$", re.IGNORECASE)
_PATCH_EMBEDDING = re.compile(r"stem|patch_?embed", re.IGNORECASE)


def classify(operator: str, path: str, modules: Sequence[nn.Module]) -> str:
    """Return the class of an operator.

    Args:
        operator: Its name, for example `"aten::conv2d"`.
        path: Name of the module that it runs in, inside the model.
        modules: The modules that it runs in, the outermost first.

    Example:
        >>> classify("aten::add_", "stages.0", [])
        'other'
    """
    name = _plain(operator)
    kinds = [type(module) for module in modules]
    if name in _RESHAPE:
        return "reshape"
    if name in _CONVOLUTION:
        return "patch embedding" if _embeds(path, modules) else "convolution"
    if name in _LINEAR:
        return "linear"
    # torch has softmax among its activations
    if name in _ACTIVATION or (name != "softmax" and kinds and _ACTIVATION_FILE.search(kinds[-1].__module__)):
        return "activation"
    if name in _NORMALISATION or (kinds and "norm" in kinds[-1].__name__.lower()):
        return "normalisation"
    if "scaled_dot_product" in name or any(map(_is_attention, kinds)):
        return "attention"
    return "linear" if name in _PRODUCTS else "other"


def is_memory_bound(operator: str) -> bool:
    """Say whether an operator has neither a convolution nor a product of matrices.

    Example:
        >>> is_memory_bound("aten::softmax"), is_memory_bound("aten::bmm")
        (True, False)
    """
    name = _plain(operator)
    return name not in _CONVOLUTION | _LINEAR | _PRODUCTS and "scaled_dot_product" not in name


def _plain(operator: str) -> str:
    """Return an operator's name without its namespace, and without the mark of one that works in place."""
    name = operator.rpartition("::")[2]
    return name if name in _RESHAPE else name.removesuffix("_")


def _is_attention(kind: type[Any]) -> bool:
    name = kind.__name__
    return bool(_ATTENTION_MODULE.search(name)) and not _MORE_THAN_ATTENTION.search(name)


def _embeds(path: str, modules: Sequence[nn.Module]) -> bool:
    """Say whether a convolution in these modules embeds patches."""
    if any(_PATCH_EMBEDDING.search(type(module).__name__) for module in modules) or _PATCH_EMBEDDING.search(path):
        return True
    layer: Any = modules[-1] if modules else None
    kernel, stride = getattr(layer, "kernel_size", None), getattr(layer, "stride", None)
    return kernel == stride and kernel not in (None, (1, 1)) and layer.groups == 1
