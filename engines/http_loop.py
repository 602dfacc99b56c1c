"""An event loop in a thread of its own, and the boxes through which the caller's thread and the loop hand things to each other.

Hand-overs are cheap because they rarely wake anybody: whoever is busy finds the box filled when it next looks, and only a side that
has said that it waits is woken. Knows no HTTP.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class LoopThread:
    """An event loop that runs in a daemon thread until `stop`."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop and wait for its result; an interruption of the wait cancels it."""
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def post(self, work: Callable[[], object]) -> None:
        """Run a plain function in the loop soon; nothing where the loop has stopped."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(work)

    def stop(self) -> None:
        """End the loop and its thread."""
        if self.loop.is_closed():
            return
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()


class Inbox(Generic[T]):
    """What the loop has for the caller's thread."""

    def __init__(self) -> None:
        self.items: deque[T] = deque()
        self._waiting = False
        self._filled = threading.Event()

    def put(self, item: T) -> None:
        """Hand an item over (the loop's side)."""
        self.items.append(item)
        if self._waiting:
            self._waiting = False
            self._filled.set()

    def wait(self) -> None:
        """Sleep until there is an item (the caller's side). Ctrl-C gets through."""
        self._filled.clear()
        self._waiting = True
        if not self.items:
            self._filled.wait()
        self._waiting = False


class Outbox(Generic[T]):
    """What the caller's thread has for the loop; `wake` runs in the loop when it has said that it is hungry."""

    def __init__(self, thread: LoopThread, wake: Callable[[], object]) -> None:
        self._thread = thread
        self._wake = wake
        self._items: deque[T] = deque()
        self._hungry = True

    def put(self, item: T) -> None:
        """Hand an item over (the caller's side)."""
        self._items.append(item)
        if self._hungry:
            self._hungry = False
            self._thread.post(self._wake)

    def take(self) -> T | None:
        """The next item, or None: then the next one that comes wakes the loop (the loop's side)."""
        if not self._items:
            self._hungry = True
            if not self._items:  # one may have come before the flag was up
                return None
            self._hungry = False
        return self._items.popleft()
