"""A process that follows orders, as `processes` starts it: JSON a line comes in, answers go out the same way.

Run as `python -m blip_core.execution.worker LIFELINE`.
"""

import os
import signal
import sys
from pathlib import Path

from blip_core import strict_json
from blip_core.execution.messages import Message
from blip_core.execution.resident import Resident
from blip_core.launching.lifeline import ORPHANED, end_with


def main() -> None:
    """Follow orders until no more come."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever asked, who ends this process
    try:
        end_with(Path(sys.argv[1]))
    except FileNotFoundError:
        os._exit(ORPHANED)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer

    def say(message: Message) -> None:
        answers.write(strict_json.dumps(message) + "\n")
        answers.flush()

    resident = Resident(say)
    say({"ready": os.getpid()})
    for line in sys.stdin.buffer:
        resident.follow(strict_json.loads(line))
    os._exit(0)  # models take seconds to take down, and nobody waits


if __name__ == "__main__":
    main()
