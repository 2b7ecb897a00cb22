/*
 * The shaders of DRAW=gpu, in the text form of TGSI (Mesa's documentation of Gallium, "TGSI"), in which virgl takes
 * them.
 *
 * One vertex shader for everything. A vertex has its position in pixels, two coordinates and two colours; coordinates
 * reach the fragment shaders twice, as numbers (x, y) and as places on the texture (z, w).
 */
#ifndef DRIVERS_VIRTIO_GPU_VIRGL_SHADERS_H
#define DRIVERS_VIRTIO_GPU_VIRGL_SHADERS_H

/* What a fragment's colour is made of; every result is multiplied by its opacity already. */
enum virgl_fragment_shader {
	VIRGL_SECTOR,  /* the second colour within distance 1 of coordinates (0, 0), the first elsewhere */
	VIRGL_BAND,    /* the first colour; covers by its distance from both sides, in pixels, in 16 steps */
	VIRGL_TEXTURE, /* the texture */
	VIRGL_LABEL,   /* from the second colour to the first by the texture's opacity; nothing where that is 0 */
	VIRGL_FRAGMENT_SHADERS,
};

/* Constants of the vertex shader: pixels to clip space in two words; coordinates to numbers and to texels in four. */
#define VIRGL_CONSTANT_WORDS 8

extern const char virgl_vertex_shader[];
extern const char *const virgl_fragment_shaders[VIRGL_FRAGMENT_SHADERS];

#endif
