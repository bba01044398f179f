"""Rendering: the same findings as text, and soon HTML, Markdown, LaTeX, JUnit and SARIF."""
