"""What is asked for and what was found: values that stages hand to each other, and how they are stored.

- a request: ``spec``, ``values``, ``arms``, ``declared``, ``case_study``, ``faults``, ``kernel_suites``,
  ``qemu_arches``, ``cluster_request``
- a target: ``target``, ``target_file``, ``target_record``, ``target_baseline``, ``toml_lines``
- what was found: ``result``, ``record``, ``latency_record``, ``modes_record``, ``refusals_record``, ``metric``,
  ``baseline``, ``survey``, ``suites``, ``lease``, ``job``
- how it is stored: ``codec``, ``upgrade``
- how a command ends: ``errors``, ``interrupts``
"""
