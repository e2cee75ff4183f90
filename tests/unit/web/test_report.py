"""The report of a run as one file; in a browser, tests/live/web/test_report.py looks at it."""

from __future__ import annotations

import re
from importlib.resources import files

from cluster.lab.timeline.period import Period
from cluster.lab.timeline.rows import Mark
from cluster.web.report import SOURCES, report


def test_the_file_loads_nothing() -> None:
    page = report("a run", Period("a run", "verona", 1_000, [], [], [], []))
    assert not re.search(r"\b(src|href)=|@import|url\(|^import |^export ", page, re.MULTILINE)
    assert "default-src 'none'" in page


def test_what_others_wrote_ends_no_element() -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    page = report(evil, Period(evil, evil, 1_000, [], [], [], [Mark(1_000.5, evil)]))
    assert "<img" not in page
    assert page.count("</script>") == 2


def test_the_modules_can_share_a_scope_and_each_comes_after_what_it_imports() -> None:
    names: set[str] = set()
    known: set[str] = set()
    for source in SOURCES:
        text = files("cluster.web").joinpath("assets", source).read_text()
        own = re.findall(r"^(?:export )?(?:const|let|class|function) (\w+)", text, re.MULTILINE)
        assert not names.intersection(own), source
        assert set(re.findall(r'from "\./([\w.]+)"', text)) <= known, source
        names.update(own)
        known.add(source)
