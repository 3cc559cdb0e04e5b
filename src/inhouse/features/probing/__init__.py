"""What can a deployment really do? Measure it within three minutes, and judge by written rules."""

from inhouse.features.probing.badges import Badge, Reason, badges
from inhouse.features.probing.evidence import Evidence
from inhouse.features.probing.probe import LIMIT, probe
from inhouse.features.probing.report import Report, outdated, read_report
from inhouse.features.probing.subject import Subject

__all__ = [
    "LIMIT",
    "Badge",
    "Evidence",
    "Reason",
    "Report",
    "Subject",
    "badges",
    "outdated",
    "probe",
    "read_report",
]
