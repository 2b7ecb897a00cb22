"""What is on the screen.

- reading a picture: ``stamp``, ``frames``, ``captures``, ``screen``
- what is wrong with it, and why: ``damage``, ``rounding``, ``causes``, ``geometry``, ``picture_texture``,
  ``unknown_pictures``, ``golden_features``
- how good these detectors are: ``planted_pictures``, ``detector_accuracy``, ``screen_accuracy``
"""
