"""What QEMU's trace says of the device: frames, scanouts, rings, answers, inputs, modes and the cursor."""
