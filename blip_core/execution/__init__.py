"""Who works the shards: this process, local processes, or the actors of a Ray cluster.

Knows no tasks: what is done is a function by its name, over plain data.
"""

from blip_core.execution.port import Act, Executor, Open, Tell, Work, WorkItem
from blip_core.execution.serial import Serial
from blip_core.execution.sparing import Sparing

__all__ = ["Act", "Executor", "Open", "Serial", "Sparing", "Tell", "Work", "WorkItem"]
