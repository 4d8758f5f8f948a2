"""A report as people and CI servers read it: terminal, Markdown, HTML, JUnit."""
