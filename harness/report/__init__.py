"""Results as people read them: HTML, Markdown, JUnit, plots."""
