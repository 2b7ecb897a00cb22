"""Where a frame's time goes, and what each switch is worth.

- ``manners`` holds what a driver does to its device, with advice
- a frame taken apart: ``measure_parts``, ``attribution``, ``counting``, ``growth``, ``timeline``
- switches changed one at a time: ``ablate``, ``effects``, ``moderate``; the case study: ``case_replay``,
  ``case_report``
- the whole: ``run``, ``saved_run``, ``explanation``, ``report``, ``rows``, ``plots``, ``frame_plots``
"""
