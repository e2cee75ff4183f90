"""What the lab's message centre keeps over a crash."""

from __future__ import annotations

from pathlib import Path

from cluster.protocols.smpp.receipt import receipt_of
from tests.unit.gateways.sms.world import OTHER_PHONE, PHONE, Answers, Delivered, World


def test_inboxes_are_kept(world: World, tmp_path: Path) -> None:
    world.start_smsc(tmp_path)
    world.phone_says("a" * 200, OTHER_PHONE)
    world.start_smsc(tmp_path)  # without a word: a crash
    assert world.inbox(OTHER_PHONE) == ["a" * 200]


def test_what_waits_is_kept(world: World, tmp_path: Path) -> None:
    smsc = world.start_smsc(tmp_path)
    delivered = Delivered()
    esme = world.esme(delivered)
    answers = Answers(esme)
    world.run(smsc.administration.phone_switch(PHONE, False))
    answers.submit("to the phone", registered_delivery=1)
    world.go()
    world.run(esme.stop())
    world.phone_says("to the gateway", number=OTHER_PHONE)

    restarted = world.start_smsc(tmp_path)
    assert world.inbox() == ["to the phone"]  # a phone is on at first
    world.esme(delivered)
    assert receipt_of(delivered.pdus[0]).message_id == answers.all[0]
    assert delivered.texts[1:] == ["to the gateway"]
    assert world.run(restarted.administration.status())["waiting"] == 0

    world.start_smsc(tmp_path)
    assert world.inbox() == ["to the phone"]
    assert (tmp_path / "spool.jsonl").read_bytes() == b""


def test_a_repeated_message_is_known_after_a_crash(world: World, tmp_path: Path) -> None:
    world.start_smsc(tmp_path)
    esme = world.esme(Delivered())
    answers = Answers(esme)
    world.wire.connections[-1].deaf = True
    answers.submit("once")
    world.go()
    world.start_smsc(tmp_path)
    world.wire.cut()
    world.go(2.0)
    assert world.inbox() == ["once"]
    assert len(answers.all) == 1
    assert answers.errors == []


def test_a_line_that_was_cut_off_is_dropped(world: World, tmp_path: Path) -> None:
    world.start_smsc(tmp_path)
    world.phone_says("1", OTHER_PHONE)
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes() + b'{"message_id": "cut o')
    world.start_smsc(tmp_path)
    world.phone_says("2", OTHER_PHONE)
    world.start_smsc(tmp_path)
    assert world.inbox(OTHER_PHONE) == ["1", "2"]
