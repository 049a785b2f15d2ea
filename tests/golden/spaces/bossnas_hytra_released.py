"""BossNAS's HyTra supernet as it was released: its attention sums over the wrong tokens."""
import functools

import bossnas_hytra

NAME, IMAGES = bossnas_hytra.NAME, bossnas_hytra.IMAGES
EDIT = {**bossnas_hytra.EDIT, ("constants", "product"): "queries"}
prepare = bossnas_hytra.prepare
Supernet = functools.partial(bossnas_hytra.Supernet, of_keys=False)
