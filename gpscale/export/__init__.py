"""Models written for deployment, each checked against torch on real images before it gets its name.

>>> from gpscale.export import FORMATS
>>> sorted(FORMATS)
['coreml', 'executorch', 'onnx', 'torchscript']
"""

from gpscale.export.base import FORMATS, Format, get

__all__ = ["FORMATS", "Format", "get"]
