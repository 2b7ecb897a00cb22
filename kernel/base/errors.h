/*
 * Every error that a function of the kernel returns: negative, one meaning each, whatever room it comes from. 0 and
 * positive values are successes.
 */
#ifndef BASE_ERRORS_H
#define BASE_ERRORS_H

enum error {
	ERROR_NODEV = -1,      /* there is no such device, capability or bus on this machine */
	ERROR_NOTSUP = -2,     /* this architecture has no such thing */
	ERROR_NOMEM = -3,      /* no memory, or no page tables, left */
	ERROR_NOSPACE = -4,    /* fewer descriptors, requests, vectors or addresses are free than are needed */
	ERROR_INVALID = -5,    /* what the caller asks for, or the device says of itself, cannot be */
	ERROR_TIMEOUT = -6,    /* the wait gave up; what was submitted is still the device's */
	ERROR_BROKEN = -7,     /* the device wrote into the ring what cannot be, or a response of the wrong size */
	ERROR_FEATURES = -8,   /* the device does not offer what is needed, or refused what was chosen */
	ERROR_IRQ = -9,        /* no interrupt could be attached */
	ERROR_RESPONSE = -10,  /* the response to a command is an error */
	ERROR_CAPSET = -11,    /* virgl: no capability set that can be used */
	ERROR_CONTEXT = -12,   /* virgl: no context */
	ERROR_NOTFOUND = -13,  /* device tree: no such node or property */
	ERROR_MAGIC = -14,     /* device tree: none at this address */
	ERROR_VERSION = -15,   /* device tree: not readable by a version 17 reader */
	ERROR_BOUNDS = -16,    /* device tree: a block outside the blob, or the blob outside the limit */
	ERROR_STRUCTURE = -17, /* device tree: tokens that form no tree, or too many levels */
	ERROR_VALUE = -18,     /* device tree: a property's length is wrong, or a bus in between translates addresses */
};

#endif
