"""Rows that are asked several at a time, until one of them fails."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


def ask_at_once(ask: Callable[[Asked], Answer], rows: Sequence[Asked], at_once: int) -> list[Answer]:
    """Ask all rows; whoever fails keeps those from being asked that wait, before anybody reads an answer.

    Args:
        ask: asks one, and raises where it fails, which is raised here.
        rows: in the order that their answers are given in.
        at_once: how many at a time.
    """
    failures: list[BaseException] = []

    def asked(row: Asked) -> Answer:
        if failures:
            raise failures[0]
        try:
            return ask(row)
        except BaseException as error:
            failures.append(error)
            raise

    pool = ThreadPoolExecutor(at_once)
    try:
        return [one.result() for one in [pool.submit(asked, row) for row in rows]]
    finally:
        pool.shutdown(cancel_futures=True)
