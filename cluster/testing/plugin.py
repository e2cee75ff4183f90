"""Options, marker and fixtures; docs/pytest.md.

pytest loads this module at the start of every run in an environment that has xmpplab, so it imports nothing that pytest
has not: each fixture imports what it needs.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cluster.lab.api import Lab
    from cluster.testing.account import Account
    from cluster.testing.faults import Faults
    from cluster.testing.trace import Trace

DEFAULT_TOPOLOGY = "two-domains"
_LAB = pytest.StashKey["Lab"]()
"""Of the configuration: the lab that is running."""
_BEGIN_UTC_S = pytest.StashKey[float]()
"""Of a test: when its set-up began."""
HIDDEN = getattr(pytest, "HIDDEN_PARAM", None)
"""Leaves the names of tests as they are; before pytest 8.4, a test is named with its topology."""
_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The topology, for a project and for a run."""
    meaning = "topology of the fixture xmpp_lab: a file, or the name of one that is included, such as rfc3920"
    parser.getgroup("xmpplab", "a federated XMPP network").addoption("--xmpp-topology", metavar="FILE", help=meaning)
    parser.addini("xmpp_topology", f"{meaning} (default: {DEFAULT_TOPOLOGY})", default=DEFAULT_TOPOLOGY)


def pytest_configure(config: pytest.Config) -> None:
    """For --strict-markers."""
    meaning = "topology of the fixture xmpp_lab for this test, class or module: a file next to it, or a name"
    config.addinivalue_line("markers", f"xmpp_topology(file): {meaning}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests with one topology run one after the other, so that each lab is brought up once."""
    marks = metafunc.definition.iter_markers("parametrize")
    is_given = any("xmpp_lab" in str(mark.kwargs.get("argnames", mark.args[:1])) for mark in marks)
    if "xmpp_lab" in metafunc.fixturenames and not is_given:
        topology = _marked(metafunc.definition) or _configured(metafunc.config)
        metafunc.parametrize("xmpp_lab", [topology], indirect=True, ids=[HIDDEN], scope="session")


def _marked(test: pytest.Item) -> str:
    """The topology of a test's marker; empty if it has none."""
    mark = test.get_closest_marker("xmpp_topology")
    if mark is None:
        return ""
    if len(mark.args) != 1 or mark.kwargs:
        raise pytest.UsageError(f"{test.nodeid}: write @pytest.mark.xmpp_topology(FILE), with one file or name")
    return _found(str(mark.args[0]), test.path.parent)


def _configured(config: pytest.Config) -> str:
    """The topology of the command line, otherwise of the ini file, otherwise the default."""
    if wanted := config.getoption("xmpp_topology"):
        return _found(wanted, config.invocation_params.dir)
    return _found(config.getini("xmpp_topology"), config.inipath.parent if config.inipath else config.rootpath)


def _found(text: str, folder: Path) -> str:
    """A file in this folder, otherwise what may be a name."""
    return str(folder / text) if (folder / text).is_file() or Path(text).suffix else text


@pytest.fixture(scope="session")
def xmpp_lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A federated XMPP network that is running; every stanza in it is recorded.

    Each worker of pytest-xdist has its own, so that a fault disturbs no other test. SSL_CERT_FILE names the lab's CA
    and what was trusted before. The lab ends with the tests, even if they are killed.
    """
    from cluster.lab.api import LabError, temporary_lab

    topology = getattr(request, "param", "") or _configured(request.config)
    folder = tmp_path_factory.mktemp("xmpplab")
    with ExitStack() as until_end:
        try:
            lab = until_end.enter_context(temporary_lab(topology, folder, every_stanza=True))
        except LabError as error:  # each test that wants it shows this: not our code, but what is wrong
            pytest.fail(f"no lab: {error}", pytrace=False)
        environment = until_end.enter_context(pytest.MonkeyPatch.context())
        environment.setenv("SSL_CERT_FILE", str(lab.trust_bundle()))
        request.config.stash[_LAB] = lab
        yield lab
        del request.config.stash[_LAB]


@pytest.fixture
def xmpp_account(xmpp_lab: Lab) -> Iterator[Callable[..., Account]]:
    """Creates accounts, which are removed after the test: `xmpp_account("montague.lit")`.

    `domain`: of a server of the lab; by default that of the first one. `name`: the localpart; by default a new one.
    """
    from cluster.testing.account import create, remove

    created: list[Account] = []

    def xmpp_account(domain: str = "", name: str = "") -> Account:
        account = create(xmpp_lab, domain, name or f"user{next(_numbers)}")
        created.append(account)
        return account

    yield xmpp_account
    for account in reversed(created):
        remove(xmpp_lab, account)


@pytest.fixture
def xmpp_fault(xmpp_lab: Lab, xmpp_account: object) -> Iterator[Faults]:
    """Breaks links and nodes, which are as before after the test: `xmpp_fault("s1", "s2", delay="200ms")`.

    It is undone before the accounts of the test are removed: a paused server could not do that.
    """
    from cluster.testing.faults import Faults

    faults = Faults(xmpp_lab)
    yield faults
    faults.clear()


@pytest.fixture
def xmpp_trace(xmpp_lab: Lab) -> Trace:
    """What passes through the lab from now on, and assertions about it."""
    from cluster.testing.trace import Trace

    return Trace(xmpp_lab, time.time())


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """From then on, stanzas and log lines are those of the test."""
    item.stash[_BEGIN_UTC_S] = time.time()
    is_given = "xmpp_lab" in getattr(getattr(item, "callspec", None), "params", {})
    if "xmpp_lab" in getattr(item, "fixturenames", ()) and not is_given and item.get_closest_marker("xmpp_topology"):
        pytest.fail("pytest gives unittest.TestCase no parameters, so it has no xmpp_topology marker", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failure what the lab knows about it."""
    report = yield
    lab = item.config.stash.get(_LAB, None)
    if report.failed and lab is not None and "xmpp_lab" in getattr(item, "fixturenames", ()):
        from cluster.testing.failure import sections

        report.sections += sections(lab, item.stash[_BEGIN_UTC_S])
    return report
