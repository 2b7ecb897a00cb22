"""Runs over time: the database, the nightly run, drift, and the site.

- the database: ``store``, ``schema``, ``series``, ``jsonl``, ``queue``, ``prune``
- a nightly run: ``matrix``, ``matrix_file``, ``nightly``, ``journal``, ``shared_cells``, ``nightly_page``
- drift: ``changepoints``, ``host_effects``, ``drift``, ``findings``, ``finding_store``, ``finding_words``, ``pending``,
  ``survey``
- pages: ``site``, ``site_views``
"""
