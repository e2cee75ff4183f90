from cluster.lab.processes.backoff import HEALTHY_S, Backoff


def test_pauses_double_up_to_the_longest() -> None:
    backoff = Backoff()
    assert [backoff.after_run(0.0) for _ in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_a_healthy_run_makes_the_next_crash_the_first() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.after_run(0.0)
    assert backoff.after_run(HEALTHY_S) == 0.1
    assert backoff.after_run(HEALTHY_S - 0.01) == 0.2
