#include "drivers/virtio/gpu_virgl_shaders.h"

/* Colours are stored blue first. */
const char virgl_vertex_shader[] = "VERT\n"
				   "DCL IN[0]\n"
				   "DCL IN[1]\n"
				   "DCL IN[2]\n"
				   "DCL IN[3]\n"
				   "DCL OUT[0], POSITION\n"
				   "DCL OUT[1], GENERIC[0]\n"
				   "DCL OUT[2], GENERIC[1]\n"
				   "DCL OUT[3], GENERIC[2]\n"
				   "DCL CONST[0..1]\n"
				   "IMM[0] FLT32 { 0.0, 1.0, -1.0, 0.0 }\n"
				   "  0: MAD OUT[0].xy, IN[0].xyyy, CONST[0].xyyy, IMM[0].zyyy\n"
				   "  1: MOV OUT[0].zw, IMM[0].xxxy\n"
				   "  2: MUL OUT[1], IN[1].xyxy, CONST[1]\n"
				   "  3: MOV OUT[2], IN[2].zyxw\n"
				   "  4: MOV OUT[3], IN[3].zyxw\n"
				   "  5: END\n";

#define FRAGMENT                                                                                                       \
	"FRAG\n"                                                                                                       \
	"DCL IN[0], GENERIC[0], PERSPECTIVE\n"                                                                         \
	"DCL IN[1], GENERIC[1], PERSPECTIVE\n"                                                                         \
	"DCL IN[2], GENERIC[2], PERSPECTIVE\n"                                                                         \
	"DCL OUT[0], COLOR\n"                                                                                          \
	"DCL TEMP[0..1]\n"
#define TEXTURED                                                                                                       \
	"DCL SAMP[0]\n"                                                                                                \
	"DCL SVIEW[0], 2D, FLOAT\n"
#define NUMBERS "IMM[0] FLT32 { 0.0, 1.0, 16.0, 0.5 }\n"

const char *const virgl_fragment_shaders[VIRGL_FRAGMENT_SHADERS] = {
	[VIRGL_SECTOR] = FRAGMENT NUMBERS "  0: DP2 TEMP[0].x, IN[0].xyyy, IN[0].xyyy\n"
					  "  1: SLT TEMP[0].x, TEMP[0].xxxx, IMM[0].yyyy\n"
					  "  2: LRP OUT[0], TEMP[0].xxxx, IN[2], IN[1]\n"
					  "  3: END\n",
	[VIRGL_BAND] = FRAGMENT NUMBERS "IMM[1] FLT32 { 0.0625, 0.0, 0.0, 0.0 }\n"
					"  0: MIN TEMP[0].x, IN[0].xxxx, IN[0].yyyy\n"
					"  1: MIN TEMP[0].x, TEMP[0].xxxx, IMM[0].yyyy\n"
					"  2: MAD TEMP[0].x, TEMP[0].xxxx, IMM[0].zzzz, IMM[0].wwww\n"
					"  3: FLR TEMP[0].x, TEMP[0].xxxx\n"
					"  4: MUL TEMP[0].x, TEMP[0].xxxx, IMM[1].xxxx\n"
					"  5: MUL OUT[0], IN[1], TEMP[0].xxxx\n"
					"  6: END\n",
	[VIRGL_TEXTURE] = FRAGMENT TEXTURED "  0: MOV TEMP[0], IN[0].zwww\n"
					    "  1: TEX OUT[0], TEMP[0], SAMP[0], 2D\n"
					    "  2: END\n",
	[VIRGL_LABEL] = FRAGMENT TEXTURED NUMBERS "  0: MOV TEMP[0], IN[0].zwww\n"
						  "  1: TEX TEMP[0], TEMP[0], SAMP[0], 2D\n"
						  "  2: LRP TEMP[1], TEMP[0].wwww, IN[1], IN[2]\n"
						  "  3: SLT TEMP[0].x, IMM[0].xxxx, TEMP[0].wwww\n"
						  "  4: MUL OUT[0], TEMP[1], TEMP[0].xxxx\n"
						  "  5: END\n",
};
