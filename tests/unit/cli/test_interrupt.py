from __future__ import annotations

import signal

import pytest

from cluster.cli.interrupt import SIGNALS, interruptible, noted_interrupts


def clean_up_disturbed(number: signal.Signals, done: list[str]) -> None:
    """Interrupted by one signal, and again by all of them while it cleans up."""
    with interruptible():
        try:
            signal.raise_signal(number)
            done.append("not interrupted")
        finally:
            for each in SIGNALS:
                signal.raise_signal(each)
            done.append("cleaned up")


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_interrupts_and_the_others_are_ignored(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        clean_up_disturbed(number, done)
    assert done == ["cleaned up"]
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_can_be_noted_instead(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    with noted_interrupts() as is_noted:
        assert not is_noted()
        signal.raise_signal(number)
        assert is_noted()
    assert [signal.getsignal(each) for each in SIGNALS] == before
