"""The gate: measure a candidate beside its reference, judge it, approve it, judge a saved run again.

- ``stages/`` holds one file a stage, ``measuring/`` what runs machines, ``calibration/`` the gate measured as an
  instrument
- a session: ``session``, ``stage``, ``measured``, ``kernels``, ``machines``, ``relink``, ``evaluate``, ``finish``,
  ``replay``
- judging: ``metrics``, ``figures``, ``gates``, ``count_gates``, ``further_gates``, ``pace_gate``, ``still``,
  ``latency_verdict``, ``tails``, ``basis``, ``verdict``, ``next_steps``, ``rule_file``
- the approved kernel: ``references``; of targets: ``target_kernels``, ``target_references``, ``target_rules``,
  ``target_approval``
"""
