"""Workers in this process, over the same messages, that answer in any order and die as they are told."""

import json
import random
from collections.abc import Sequence

from blip_core.execution.messages import Message
from blip_core.execution.pool import Heard, Pool
from blip_core.execution.resident import Resident


class ScriptedWorker:
    """Follows an order when it is let; what is said goes through JSON both ways."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.said: list[Message] = [{"ready": 1}]
        self.orders: list[str] = []
        self._resident = Resident(lambda message: self.said.append(json.loads(json.dumps(message))))

    def send(self, order: Message) -> None:
        self.orders.append(json.dumps(order))

    def follow(self) -> None:
        self._resident.follow(json.loads(self.orders.pop(0)))

    def end(self) -> str:
        self._resident.close()
        return "was killed"


class ScriptedLauncher:
    """Lets one worker at a time do something, drawn by chance; before or behind the items named, it dies.

    Args:
        seed: of the draws.
        dies_before: numbers of items, in the order in which they are begun, that are never worked.
        dies_behind: those that are worked, but not told.
    """

    def __init__(
        self, seed: int = 0, dies_before: Sequence[int] = (), dies_behind: Sequence[int] = ()
    ) -> None:
        self._draw = random.Random(seed)
        self._before, self._behind = dies_before, dies_behind
        self.begun = 0
        self._workers: list[ScriptedWorker] = []
        self.started = 0

    def start(self, number: int) -> ScriptedWorker:
        self.started += 1
        worker = ScriptedWorker(f"worker {number + 1}")
        self._workers.append(worker)
        return worker

    def hear(self, seconds: float) -> list[Heard]:
        worker = self._draw.choice([one for one in self._workers if one.orders or one.said])
        if worker.orders and not worker.said:
            is_item = "item" in json.loads(worker.orders[0])
            self.begun += is_item
            if is_item and self.begun - 1 in self._before:
                return self._gone(worker)
            worker.follow()
            if is_item and self.begun - 1 in self._behind:
                return self._gone(worker)
        said, worker.said = worker.said, []
        return [Heard(worker, message) for message in said]

    def close(self) -> None:
        return None

    def _gone(self, worker: ScriptedWorker) -> list[Heard]:
        self._workers.remove(worker)
        return [Heard(worker, None)]


def scripted_pool(workers: int, **told: object) -> Pool:
    return Pool(ScriptedLauncher(**told), workers, 600)  # type: ignore[arg-type]
