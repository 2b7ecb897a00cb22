/* How the driver reaches its device: registers of virtio-mmio, or of virtio-pci. One of the two files is linked. */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

/* Finds the GPU, resets it and accepts VIRTIO_F_VERSION_1 alone (VIRTIO 1.2 section 3.1.1). False: there is none. */
bool transport_find(void);
void transport_queue(uint16_t queue, uint16_t size, void *descriptors, void *available, void *used);
void transport_go(void);
void transport_notify(uint16_t queue);
/* A read that the device must answer and that says nothing. */
uint32_t transport_peek(void);

#endif
