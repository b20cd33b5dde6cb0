"""Random numbers of a piece of work of their own, and the others left as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from .. import random


@contextmanager
def seeded(*seed: int | None) -> Iterator[None]:
    """Within the block fastcnn's random numbers start from this seed (several numbers make one); then they go on as if
    nothing had happened. With None among them nothing is done.
    """
    if None in seed:
        yield
        return
    before = random.get_state()
    random.set_seed(int(np.random.SeedSequence([s for s in seed if s is not None]).generate_state(1, np.uint64)[0]))
    try:
        yield
    finally:
        random.set_state(before)
