"""Runs over time: the database, the nightly run, drift, and the site."""
