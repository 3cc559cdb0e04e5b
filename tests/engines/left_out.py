"""Says at the end of a test run which engines were absent.

`tests/conftest.py` imports the hook: with workers, their controller, which prints the summary, does
not load the conftest files of deeper folders.
"""

import pytest

REASON = "left out: "


def left_out(title: str) -> str:
    """Return the reason to skip a test whose engine is absent."""
    return f"{REASON}{title} (run make engines)"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped: list[pytest.TestReport] = terminalreporter.stats.get("skipped", [])
    reasons = {
        reason.removeprefix("Skipped: ")
        for report in skipped
        if isinstance(report.longrepr, tuple)
        for reason in report.longrepr[2:]
    }
    for reason in sorted(reason for reason in reasons if reason.startswith(REASON)):
        terminalreporter.write_line(reason, yellow=True)
