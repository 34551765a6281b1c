"""The sources of images, one file each; `base.py` says how to add one.

>>> from gpscale.training.data.sources import Item, SourceRequest, open_source
>>> item: Item = next(open_source(SourceRequest("digits")).items([0]))
>>> item.shape
(8, 8)
"""

from gpscale.training.data.sources.base import Item, Source, SourceRequest, check_name, names, open_source, register

__all__ = ["Item", "Source", "SourceRequest", "check_name", "names", "open_source", "register"]
