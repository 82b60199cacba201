"""With IMPRINT_TESTS_REQUIRE=all, as in `.ci/run`, a test that is skipped for want of what could be installed has
failed."""

import os

import pytest

NOT_HERE = "Not on this machine:"  # begins the reason where nothing that is installed would help


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> object:
    return _held_to((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> object:
    return _held_to((yield))


def _held_to(report: pytest.TestReport | pytest.CollectReport) -> object:
    if os.environ.get("IMPRINT_TESTS_REQUIRE") == "all" and report.skipped and isinstance(report.longrepr, tuple):
        file, line, reason = report.longrepr
        if NOT_HERE not in reason:
            report.outcome = "failed"
            report.longrepr = f"{file}:{line}: {reason}, and IMPRINT_TESTS_REQUIRE=all"
    return report
