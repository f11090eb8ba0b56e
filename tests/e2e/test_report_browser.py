"""The report in a real browser: headless Chromium, spoken to by its own debugging protocol over a pipe."""

import base64
import json
import os
import re
import select
import shutil
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest

from medauc.evaluation import Predictions, Settings, evaluate
from medauc.metrics import confusion
from medauc.report import RunMaterial, build_report, most_confident_errors
from medauc.training import Recipe

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-pipe",
)
CONNECT = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
for end, wanted in zip(ends, (3, 4)):  # Chromium reads commands from descriptor 3 and answers on 4
    os.dup2(end, wanted)
os.execvp(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """One page of headless Chromium; events that arrive are kept in ``events``."""

    def __init__(self, folder):
        to_child, self.outgoing = os.pipe()
        self.incoming, from_child = os.pipe()

        connect = [sys.executable, "-c", CONNECT, str(to_child), str(from_child)]
        self.process = subprocess.Popen(
            [*connect, "chromium", *FLAGS, f"--user-data-dir={folder}", "about:blank"],
            pass_fds=(to_child, from_child),
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
        complete, drawn = (
            "document.readyState === 'complete'",
            "[...document.querySelectorAll('[data-drawn]')]",
        )
        while not self.run(f"{complete} && {drawn}.every(plot => plot.data)"):
            time.sleep(0.05)

    def run(self, script):
        found = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def resize(self, width, height=900):
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
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


def split_of(name, n):
    rng = np.random.default_rng(len(name))
    target = (rng.random(n) < 0.25).astype(int)
    table = Predictions.from_arrays(
        split=name,
        ids=[f"{name}-{row}" for row in range(n)],
        targets=target,
        scores=1.6 * target + rng.normal(size=n),
    )
    table.frame["scanner with a long name"] = rng.choice(
        ["Alpha 3000", "Beta", "rare"], n, p=[0.6, 0.38, 0.02]
    )
    return table


@pytest.fixture(scope="module")
def table():
    return Predictions.concatenate([split_of("val", 400), split_of("test", 1000)])


@pytest.fixture(scope="module")
def evaluation(table):
    return evaluate(table, Settings(positive_name="malignant"))


@pytest.fixture(scope="module")
def page(table, evaluation, tmp_path_factory):
    rng = np.random.default_rng(0)
    errors = most_confident_errors(table, evaluation)
    material = RunMaterial(
        data_name="SomeMNIST",
        recipe=Recipe(),
        seed=1,
        images={error.id: rng.integers(0, 256, (28, 28), dtype=np.uint8) for error in errors},
    )
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(build_report(evaluation, table, title="A report", material=material), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    if shutil.which("chromium") is None:
        pytest.skip("no chromium: apt-get install chromium")
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium, page):
    chromium.resize(1200)
    chromium.scheme("light")
    chromium.open(page)
    return chromium


def shown(browser, rate):
    """Value and bounds that the page shows for a rate."""
    cells = browser.run(
        f"[...document.querySelectorAll('[data-rate={rate}] td')].map(cell => cell.textContent)"
    )
    return [float(cells[0]), *map(float, cells[1].split(" to "))]


def assert_shows(browser, table, threshold):
    found = confusion(*table.select("test").known(), threshold)
    for rate in ("sensitivity", "specificity", "ppv", "npv"):
        assert shown(browser, rate) == pytest.approx(list(getattr(found, rate)), abs=5.1e-4)
    assert shown(browser, "flagged") == pytest.approx(list(found.flagged_per_1000), abs=0.51)
    for name in ("tp", "fp", "tn", "fn"):
        count = browser.run(f"document.querySelector('[data-count={name}]').textContent")
        assert int(count) == getattr(found.counts, name)
    marked = browser.run("document.querySelector('.plot').data.find(trace => trace.meta === 'slider').x[0]")
    assert marked == pytest.approx(1 - found.specificity.value, abs=1e-9)


def test_nothing_is_complained_of_and_nothing_fetched(browser, page):
    browser.run("new Promise(resolve => setTimeout(resolve, 300))")
    bad = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded", "Network.loadingFailed")
    assert [event for event in browser.events if event["method"] in bad] == []
    asked = [
        e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"
    ]
    assert asked[0] == page.as_uri()
    assert all(url.startswith("data:") for url in asked[1:])
    count = browser.run("document.querySelectorAll('.plot').length")
    assert browser.run("document.querySelectorAll('.plot svg.main-svg').length") >= count
    assert page.stat().st_size < 6e6


def test_the_slider_shows_the_figures_of_its_threshold(browser, table, evaluation):
    assert_shows(browser, table, evaluation.operating_points[0].threshold)
    thresholds = browser.run("JSON.parse(document.querySelector('.explorer script').textContent).threshold")
    for place in (30, 250, 380):
        browser.run(
            f"(() => {{ const s = document.querySelector('.threshold'); s.value = {place};"
            " s.dispatchEvent(new Event('input')); })()"
        )
        assert_shows(browser, table, thresholds[place])


def test_buttons_go_to_what_validation_chose(browser, table, evaluation):
    for number, point in enumerate(evaluation.operating_points):
        browser.run(f"document.querySelectorAll('.buttons button')[{number}].click()")
        assert_shows(browser, table, point.threshold)
        pressed = "document.querySelector('[aria-pressed=true]').textContent"
        assert point.name in browser.run(pressed)


def test_the_keyboard_moves_the_slider(browser, table):
    browser.run("document.querySelector('.threshold').focus()")
    start = int(browser.run("document.querySelector('.threshold').value"))
    for _ in range(3):
        browser.press("ArrowRight", 39)
    assert int(browser.run("document.querySelector('.threshold').value")) == start + 3
    thresholds = browser.run("JSON.parse(document.querySelector('.explorer script').textContent).threshold")
    assert_shows(browser, table, thresholds[start + 3])
    spoken = browser.run("document.querySelector('.threshold').getAttribute('aria-valuetext')")
    assert spoken == browser.run("document.querySelector('.explorer output').textContent")
    assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_another_prevalence_reweights_what_depends_on_it(browser, table, evaluation):
    before = shown(browser, "sensitivity")
    browser.run(
        "(() => { const p = document.querySelector('.prevalence'); p.value = 2;"
        " p.dispatchEvent(new Event('input')); })()"
    )
    found = confusion(
        *table.select("test").known(), evaluation.operating_points[0].threshold, prevalence=0.02
    )
    assert shown(browser, "sensitivity") == before
    for rate in ("ppv", "npv"):
        value, low, high = shown(browser, rate)
        expected = getattr(found.at_prevalence, rate)
        assert value == pytest.approx(expected.value, abs=5.1e-4)
        assert low < expected.value < high
    assert shown(browser, "flagged")[0] == pytest.approx(found.at_prevalence.flagged_per_1000.value, abs=0.51)
    assert browser.run("document.querySelector('.reweighted').hidden") is False


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_schemes(browser, scheme):
    browser.scheme(scheme)
    pairs = browser.run(
        """[...document.querySelectorAll("p, th, td, dt, dd, figcaption, a, button, li, .plot text")].map(e => {
            const style = getComputedStyle(e);
            let behind = e, shade = "rgba(0, 0, 0, 0)";
            while (behind && shade === "rgba(0, 0, 0, 0)") {
                shade = getComputedStyle(behind).backgroundColor;
                behind = behind.parentElement;
            }
            return [e.namespaceURI.endsWith("svg") ? style.fill : style.color, shade, e.textContent.slice(0, 30)];
        })"""
    )
    assert len(pairs) > 200
    assert {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 24, 28)"}[scheme] in {pair[1] for pair in pairs}
    weak = [pair for pair in pairs if contrast(pair[0], pair[1]) < 4.5]
    assert weak == []


def contrast(one, other):
    """Contrast of two colours, WCAG 2.2."""

    def luminance(colour):
        share = np.array([int(part) for part in re.findall(r"\d+", colour)[:3]]) / 255
        linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_a_phone_never_scrolls_sideways(browser):
    browser.resize(360, 740)
    browser.run("new Promise(resolve => setTimeout(resolve, 500))")
    wide = "[...document.querySelectorAll('body *')].filter(e => !e.closest('.wide, pre, svg')"
    assert (
        browser.run(f"{wide} && e.getBoundingClientRect().right > 361).map(e => e.outerHTML.slice(0, 80))")
        == []
    )
    assert browser.run("document.documentElement.scrollWidth") == 360


def test_paper_holds_text_and_opened_parts(browser):
    printed = base64.b64decode(browser.send("Page.printToPDF")["data"])
    assert 5 < len(re.findall(rb"/Type /Page\b(?!s)", printed)) < 40
    streams = re.findall(rb"stream\r?\n(.*?)endstream", printed, re.DOTALL)
    drawn = b""
    for stream in streams:
        try:
            drawn += zlib.decompress(stream)
        except zlib.error:
            continue
    assert drawn.count(b"Tj") + drawn.count(b"TJ") > 300
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert browser.run("document.querySelectorAll('details:not([open])').length") == 0
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert browser.run("document.querySelectorAll('details[open]').length") == 0


def test_paper_from_a_narrow_window_holds_its_figures(browser):
    browser.resize(800, 740)
    browser.run("new Promise(resolve => setTimeout(resolve, 500))")
    browser.run("dispatchEvent(new Event('beforeprint'))")
    browser.send("Emulation.setEmulatedMedia", media="print")
    right = "getBoundingClientRect().right"
    outside = (
        f"[...document.querySelectorAll('.plots svg')].filter(e => e.{right} > e.closest('figure').{right})"
    )
    assert browser.run(f"{outside}.length") == 0
    browser.run("dispatchEvent(new Event('afterprint'))")
    browser.send("Emulation.setEmulatedMedia", media="")


def test_the_methods_can_be_copied(browser):
    browser.run("document.querySelector('.copy').click()")
    browser.run("new Promise(resolve => setTimeout(resolve, 100))")
    assert browser.run("getSelection().toString()").startswith("We trained a ResNet-18")
    assert browser.run("document.querySelector('#methods output').textContent")
