"""``inhouse doctor --gitlab``: GitLab, this gateway, and what each asks of the other."""

from inhouse.cli.gitlab.examination import checks

__all__ = ["checks"]
