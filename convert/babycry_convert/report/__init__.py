"""What int8 cost, and where: the report of a conversion as a dictionary and as a page."""

from babycry_convert.report.agreement import HeldOutClip
from babycry_convert.report.build import ReportInputs, TensorPair, build_report
from babycry_convert.report.page import render

__all__ = ["HeldOutClip", "ReportInputs", "TensorPair", "build_report", "render"]
