"""Torch modules of the families that timm lacks."""
