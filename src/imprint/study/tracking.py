from imprint.reporting.tracking.session import WandbSettings
from imprint.study.findings import Findings


def log_study(findings: Findings, settings: WandbSettings) -> None: ...
