"""Pure functions over arrays and strings: no file is opened here, no process started.

What each group of modules reads or decides:

- a guest's words: ``serial``, ``serial_noise``, ``target_serial``, ``records``, ``last_words``, ``complaints``,
  ``ktap``, ``text``
- QEMU's trace: ``trace``, ``frametimes``, ``frame_groups``, ``scanouts``, ``gpu_rings``, ``answers``, ``latency``,
  ``cursor``, ``recount``
- clocks and sources: ``align``, ``sources``, ``pacing``, ``animation``, ``percentiles``, ``instruments``,
  ``hostnoise``
- a comparison: ``statistics``, ``estimate``, ``sequential``, ``undisturbed``, ``lost_time``,
  ``contradiction``, ``lottery``
- exact counts: ``frame_counts``, ``functions``, ``costs``
- pictures: ``stamp``, ``frames``, ``captures``, ``screen``, ``damage``, ``rounding``, ``causes``,
  ``geometry``, ``picture_texture``, ``unknown_pictures``; how good the detectors are: ``planted_pictures``,
  ``detector_accuracy``, ``screen_accuracy``
- machine code: ``bootimage``, ``objectcode``, ``ringmarks``, ``ringpoints``
- shared: ``arrays``, ``budget``, ``wording``
"""
