"""The JSON that every target's measurements have: ``report.schema.json`` and its checks."""
