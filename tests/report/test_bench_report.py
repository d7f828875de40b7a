"""The benchmark page: what it ranks, what it leaves out, and that it needs nothing but itself."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bench_rows
import numpy as np
import pytest

from fermobile.bench.comparison import Measured
from fermobile.bench.rows import SustainedPoint, append_row
from fermobile.report.bench_report import build_bench_sections, write_bench_report
from fermobile.report.bench_sections import Bench, pareto_front
from fermobile.report.page import build_page

TITLES = [
    "Overview", "Results", "Latency against F1", "Latency distributions", "Float against quantized",
    "F1 per class and device", "Sustained load", "Devices", "Statuses and warnings", "Emulated devices",
]  # fmt: skip


def made(**values: Any) -> Measured:
    return Measured(*bench_rows.row(**values))


def everything() -> list[Measured]:
    """Two files on two devices and an emulated one, with everything that a page can show."""
    run = tuple(SustainedPoint(i / 6, 5 + i / 10, 6 + i / 10, 900, 40.0 + i) for i in range(12))
    rows = []
    for device, factor in ((bench_rows.DESKTOP, 1.0), (bench_rows.PHONE, 2.0), (bench_rows.VIRTUAL, 77.0)):
        for file, kind, p50, f1 in (("a <float>.tflite", "float", 9.0, 0.72), ("a_int8.tflite", "int8", 4.0, 0.70)):
            quality = bench_rows.quality(f1, au_mean_f1=0.5, per_au={"AU1": 0.4, "AU12": 0.6})
            rows.append(made(file=file, kind=kind, device=device, p50=p50 * factor, quality=quality, sustained=run))
    rows.append(made(device=bench_rows.PHONE, delegate="nnapi", bare=True, status="unsupported", reason="no <NNAPI>"))
    rows.append(made(threads=8, p50=0.123, validity="invalid", validity_reasons=("only 3 inferences",)))
    rows.append(made(threads=4, p50=2.5, validity="semivalid", validity_reasons=("not steady",), warnings=("beware",)))
    return rows


@pytest.fixture(scope="module")
def html() -> str:
    return build_page("Benchmark", "made up", build_bench_sections(everything()))


def section(html: str, title: str) -> str:
    found = re.search(rf"<h2>{title}</h2>(.*?)</section>", html, flags=re.S)
    assert found is not None
    return found.group(1)


def text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_all_sections_stand_in_their_order(html: str) -> None:
    assert re.findall(r"<h2>(.*?)</h2>", html) == TITLES


def test_it_asks_nothing_of_the_network_and_escapes_what_came_from_outside(html: str) -> None:
    assert not re.search(r"https?://|//cdn|@import|url\((?!#)|<script", html)
    assert "a &lt;float&gt;.tflite" in html and "a <float>" not in html
    assert "no &lt;NNAPI&gt;" in html
    targets = set(re.findall(r'href="#([^"]+)"', html)) | set(re.findall(r"url\(#([^)]+)\)", html))
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids)) and targets <= set(ids)


def test_the_same_rows_give_the_same_bytes(html: str) -> None:
    assert build_page("Benchmark", "made up", build_bench_sections(everything())) == html


def test_legs_are_ranked_by_their_median_and_the_doubtful_ones_say_so(html: str) -> None:
    legs = re.findall(r'<th scope="row">(.*?)</th>', section(html, "Results"), flags=re.S)
    assert [text(leg) for leg in legs] == [
        "1 fer_int8.tflite ai-edge-litert cpu, 4 threads (semivalid)",
        "2 a_int8.tflite ai-edge-litert cpu, 1 thread",
        "3 a &lt;float&gt;.tflite ai-edge-litert cpu, 1 thread",
        "1 a_int8.tflite ai-edge-litert cpu, 1 thread",
        "2 a &lt;float&gt;.tflite ai-edge-litert cpu, 1 thread",
    ]


def test_emulated_and_invalid_legs_are_ranked_nowhere() -> None:
    bench = Bench.of(everything())
    assert list(bench.ranked) == [bench_rows.DESKTOP.name, bench_rows.PHONE.name]
    assert all(leg.row.validity != "invalid" for legs in bench.ranked.values() for leg in legs)


def test_emulated_legs_stand_apart_without_milliseconds(html: str) -> None:
    apart = text(section(html, "Emulated devices"))
    assert "a_int8.tflite virtual cortex-a76" in apart
    assert "Workstation, Pixel 8" in apart, "whose answers are the same bit by bit"
    assert "308" not in text(html), "4 ms x 77"
    for title in ("Results", "Latency against F1", "Latency distributions", "Float against quantized"):
        assert "virtual" not in section(html, title)


def test_what_did_not_run_is_said_with_its_reason(html: str) -> None:
    said = text(section(html, "Statuses and warnings"))
    assert "unsupported no &lt;NNAPI&gt; – Pixel 8: fer_int8.tflite, ai-edge-litert nnapi, 1 thread" in said
    assert "invalid only 3 inferences" in said
    assert "semivalid not steady" in said and "warning beware" in said


def test_a_warning_of_many_legs_is_said_once() -> None:
    rows = [made(threads=n, warnings=("beware",)) for n in range(1, 7)]
    found = text(next(s.html for s in build_bench_sections(rows) if s.title == "Statuses and warnings"))
    assert found.count("beware") == 1 and found.endswith("3 threads and 3 more")


def test_quantizing_is_judged_on_the_same_leg(html: str) -> None:
    found = text(section(html, "Float against quantized"))
    assert found.count("2.25 (2.2") == 2
    assert "-0.0200" in found


def test_equal_answers_share_a_line(html: str) -> None:
    found = text(section(html, "F1 per class and device"))
    assert "a_int8.tflite Workstation cpu; Pixel 8 cpu; virtual cortex-a76 (emulated) cpu" in found
    assert "AU12" in found


def test_the_serial_of_a_device_is_not_shown(html: str) -> None:
    assert bench_rows.PHONE.id not in html
    assert bench_rows.PHONE.soc in section(html, "Devices")


def test_nested_readings_are_told(html: str) -> None:
    conditions = {"before": {"battery": {"level": 81}}, "after": {"battery": {"level": 80}, "screen": None}}
    sections = build_bench_sections([made(conditions=conditions)])
    found = text(next(s.html for s in sections if s.title == "Devices"))
    assert "battery level 81 80" in found and "screen" not in found


def test_bare_rows_make_a_page_too() -> None:
    bare = made(status="failed", reason="lost", bare=True)
    assert [s.title for s in build_bench_sections([bare])] == ["Overview", "Devices", "Statuses and warnings"]


def test_without_raw_samples_the_percentiles_are_shown() -> None:
    sections = build_bench_sections([dataclasses.replace(made(), samples=None)])
    distributions = next(s.html for s in sections if s.title == "Latency distributions")
    assert distributions.count("<svg") == 1 and "Raw samples" not in distributions


@pytest.mark.parametrize(
    ("latencies", "scores", "front"),
    [
        ([1, 2, 3], [0.5, 0.6, 0.7], [0, 1, 2]),
        ([3, 2, 1], [0.5, 0.6, 0.7], [2]),
        ([1, 1, 2], [0.5, 0.6, 0.6], [1]),
        ([5], [0.1], [0]),
    ],
)
def test_pareto_front(latencies: list[float], scores: list[float], front: list[int]) -> None:
    assert pareto_front(latencies, scores) == front


def test_a_leg_of_equal_samples_can_be_drawn() -> None:
    row, samples = bench_rows.row()
    assert samples is not None
    assert build_bench_sections([Measured(row, np.full_like(samples, 5_000_000))])


def test_it_is_written_from_files(tmp_path: Path) -> None:
    for m in everything():
        append_row(tmp_path / "rows.jsonl", m.row, m.samples)
    write_bench_report([tmp_path / "rows.jsonl"], tmp_path / "bench.html")
    page = (tmp_path / "bench.html").read_text("utf-8")
    assert "9 legs of 3 files on 3 devices, measured 2026-03-01" in page


@pytest.mark.slow
def test_chromium_opens_it_without_a_request_or_a_complaint(
    html: str, opened_in_chromium: Callable[[str], tuple[int, list[str], list[str]]]
) -> None:
    assert opened_in_chromium(html) == (len(TITLES), [], [])
