"""The gate: measure a candidate beside its reference, judge it, approve it, judge a saved run again.

- ``stages`` holds one file a stage, ``measuring`` what runs machines, ``judging`` what leads from figures to a
  verdict, ``approved`` the references, ``calibration`` the gate measured as an instrument
- a session: ``session``, ``stage``, ``measured``, ``kernels``, ``machines``, ``relink``, ``evaluate``, ``finish``,
  ``replay``
- pairs of a comparison on several hosts: ``shared_pairs``, ``arm_pairs``
"""
