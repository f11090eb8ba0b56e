"""The report in a real browser: headless Chromium, spoken to by its own debugging protocol over a pipe."""

import base64
import json
import os
import re
import select
import shutil
import subprocess
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from medauc.evaluation import Predictions, Settings, evaluate
from medauc.metrics import confusion
from medauc.report import RunMaterial, build_report, most_confident_errors
from medauc.training import Recipe

FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars --no-first-run "
    "--disable-background-networking --host-resolver-rules=MAP*~NOTFOUND --remote-debugging-pipe"
).replace("MAP*", "MAP *").split(" --")


class Browser:
    """One page of headless Chromium; events that arrive are kept in ``events``."""

    def __init__(self, folder):
        to_child, self.outgoing = os.pipe()
        self.incoming, from_child = os.pipe()

        def connect():  # Chromium reads commands from descriptor 3 and answers on 4
            moved = os.dup(to_child), os.dup(from_child)
            os.dup2(moved[0], 3)
            os.dup2(moved[1], 4)

        flags = [FLAGS[0], *("--" + flag.replace("~", " ~") for flag in FLAGS[1:])]
        self.process = subprocess.Popen(
            [shutil.which("chromium"), *flags, f"--user-data-dir={folder}", "about:blank"],
            preexec_fn=connect,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder)},
        )
        os.close(to_child)
        os.close(from_child)
        self.number, self.buffer, self.events, self.session = 0, b"", [], None
        target = next(
            found for found in self.send("Target.getTargets")["targetInfos"] if found["type"] == "page"
        )
        attached = self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.outgoing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self.events.append(answer)

    def _receive(self):
        deadline = time.monotonic() + 60
        while b"\0" not in self.buffer:
            assert select.select([self.incoming], [], [], max(0, deadline - time.monotonic()))[0], "no answer"
            part = os.read(self.incoming, 1 << 20)
            assert part, "Chromium ended"
            self.buffer += part
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def open(self, page):
        self.events.clear()
        self.send("Page.navigate", url=page.as_uri())
        drawn = "document.readyState === 'complete' && [...document.querySelectorAll('[data-drawn]')].every(p => p.data)"
        while not self.run(drawn):
            time.sleep(0.05)

    def run(self, script):
        found = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def resize(self, width, height=900):
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    def scheme(self, name):
        feature = {"name": "prefers-color-scheme", "value": name}
        self.send("Emulation.setEmulatedMedia", media="", features=[feature])

    def screenshot(self, path, whole=False):
        found = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(found["data"]))

    def press(self, key, code):
        for kind in ("rawKeyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=20)
        os.close(self.outgoing)
        os.close(self.incoming)
