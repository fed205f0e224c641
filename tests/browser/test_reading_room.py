"""A specialist reads levels in stock OHIF with our extension, over a folder of studies."""

from __future__ import annotations

from browser.conftest import Serve
from browser.windows import Windows


def test_first(serve_folder: Serve, windows: Windows) -> None:
    import time

    t = time.time()
    server = serve_folder()
    print("served", time.time() - t)
    t = time.time()
    room = windows.room(f"{server.url}/review/start?list=assisted")
    print("ready", time.time() - t)
    print(room.task["name"], room.shown())
    room.page.wait_for_timeout(500)
    room.screenshot("first")
    t = time.time()
    room.press("2", "r", "Enter")
    room.after(room.task["level_id"])
    print("next", time.time() - t)
    room.screenshot("second")
