"""The sources of images, one file each; `base.py` says how to add one."""

from gpscale.training.data.sources.base import Item, Source, SourceRequest, check_name, names, open_source, register

__all__ = ["Item", "Source", "SourceRequest", "check_name", "names", "open_source", "register"]
