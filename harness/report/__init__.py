"""Results for readers: HTML, Markdown, JUnit, plots."""
