"""Reports as JUnit XML for continuous integration: a suite for each scenario, a test for each promise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from cluster.lab.verify.promises import Promise
from cluster.lab.verify.report import Report
from cluster.xmpp.element import NOT_XML


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
    return NOT_XML.sub("\ufffd", text)
