"""Reports as JUnit XML, which continuous integration shows: a suite for each scenario, a test for each promise."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import get_args
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from cluster.lab.verify.promises import Promise
from cluster.lab.verify.report import Report

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""XML 1.0 section 2.2: what a server wrote into an error may be anything."""


def junit(reports: Sequence[Report]) -> str:
    """The document."""
    suites = Element("testsuites", name="xmpplab verify")
    for report in reports:
        _add_suite(suites, report)
    indent(suites)
    return tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _add_suite(suites: Element, report: Report) -> None:
    failures = {each.promise: each.text for each in report.failures}
    names = get_args(Promise)
    suite = SubElement(
        suites, "testsuite", name=report.scenario, tests=str(len(names)), failures=str(len(failures)),
        errors="0", skipped="0", time=f"{report.seconds:.3f}",
    )  # fmt: skip
    for name in names:
        case = SubElement(suite, "testcase", classname=report.scenario, name=name, time=f"{report.seconds:.3f}")
        if name in failures:
            failure = SubElement(case, "failure", type=name, message=_clean(failures[name]))
            failure.text = _clean("\n".join(_details(report)))


def _details(report: Report) -> list[str]:
    return [f"{example.fate}, {flow.name}: {example.note}" for flow in report.flows for example in flow.examples]


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
