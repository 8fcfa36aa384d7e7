from edged.workers.health import Check, HealthReport


def test_a_report_is_fine_where_every_check_is() -> None:
    assert HealthReport({"camera": Check(ok=True)}).ok
    assert not HealthReport({"camera": Check(ok=True), "lock": Check(ok=False)}).ok


def test_a_report_without_checks_promises_nothing() -> None:
    assert not HealthReport({}).ok
    assert HealthReport({}).as_dict() == {"status": "failing", "checks": {}}
