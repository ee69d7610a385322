"""A race for one object, which shows whether a server honours the conditions that a store needs.

Without them two machines could each believe that theirs is the work that counts.
"""

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from blip_core.store.places.objects import Objects
from blip_core.store.places.place import Taken

RACERS = 8
ROUNDS = 5
RACES = "races"


def race(objects: Objects, racers: int = RACERS, rounds: int = ROUNDS) -> int:
    """Let racers write throw-away objects, first where there are none, then where they are as they were.

    Returns:
        The most winners of one round; anything but 1 makes the server unfit.
    """
    folder = f"{RACES}/{uuid.uuid4().hex}"
    try:
        with ThreadPoolExecutor(racers) as pool:
            return max(_round(objects, pool, f"{folder}/{number}", racers) for number in range(rounds))
    finally:
        objects.delete([one.name for one in objects.list(folder)])


def _round(objects: Objects, pool: ThreadPoolExecutor, name: str, racers: int) -> int:
    won = _winners(pool, racers, lambda mine: objects.create(name, mine))
    there = objects.get(name)
    if len(won) != 1 or there is None:
        return max(len(won), 2)
    return len(_winners(pool, racers, lambda mine: objects.replace(name, mine, there.tag)))


def _winners(pool: ThreadPoolExecutor, racers: int, write: Callable[[bytes], str]) -> list[bytes]:
    together = threading.Barrier(racers)

    def run(mine: bytes) -> bytes | None:
        together.wait()
        try:
            write(mine)
        except Taken:
            return None
        return mine

    written = [uuid.uuid4().hex.encode() for _ in range(racers)]
    return [mine for mine in pool.map(run, written) if mine is not None]
