"""Every family that is not loaded at the start: importing this module registers them.

`base` imports it when a name is asked for that no loaded family knows, so that a recommendation, which needs one
family, does not wait for the others.
"""

from gpscale.families import edgevit as edgevit
from gpscale.families import efficientformer as efficientformer
from gpscale.families import efficientformerv2 as efficientformerv2
from gpscale.families import efficientvit_mit as efficientvit_mit
from gpscale.families import efficientvit_msra as efficientvit_msra
from gpscale.families import fastvit as fastvit
from gpscale.families import mobilenetv1 as mobilenetv1
from gpscale.families import mobilenetv2 as mobilenetv2
from gpscale.families import mobilenetv3 as mobilenetv3
from gpscale.families import mobilevit as mobilevit
