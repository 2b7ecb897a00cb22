"""The driver's manners: what traces and rings show of how any kernel uses virtio-gpu, and what to do better."""
