"""How a process that serves or works treats its memory."""

import gc


def settle_memory(young_objects_max: int) -> None:
    """Take what is loaded now out of garbage collection, and collect the rest less often.

    Modules, models and fare tables stay for good; to go through them again and again stopped every
    order for 60 to 180 ms a few times a minute. What a request or a round leaves behind is
    collected as ever.

    Args:
        young_objects_max: objects made before the youngest are looked through: the more one piece
            of work makes that die by themselves, the more.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(young_objects_max)
