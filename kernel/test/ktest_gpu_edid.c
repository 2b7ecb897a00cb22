/* drivers/virtio/gpu_edid: an EDID, whole and damaged. */
#include "test/ktest.h"

#include "base/string.h"
#include "drivers/virtio/gpu_edid.h"

#define ROOM (2 * EDID_BLOCK_BYTES)

static uint8_t edid[ROOM];
static struct gpu_mode mode;

static void block_close(uint8_t *block)
{
	uint8_t sum = 0;

	for (unsigned i = 0; i < EDID_BLOCK_BYTES - 1; i++)
		sum = (uint8_t)(sum + block[i]);
	block[EDID_BLOCK_BYTES - 1] = (uint8_t)-sum;
}

/* As QEMU writes it: 1366x768 at 75 Hz, one more block. */
static void write_edid(void)
{
	static const uint8_t timing[] = {0xdc, 0x24, 0x56, 0xdf, 0x51, 0x00, 0x1e, 0x30};

	memset(edid, 0, sizeof(edid));
	memset(edid + 1, 0xff, 6);
	memcpy(edid + 54, timing, sizeof(timing));
	edid[126] = 1;
	edid[EDID_BLOCK_BYTES] = 2;
	block_close(edid);
	block_close(edid + EDID_BLOCK_BYTES);
}

static const char *said(uint32_t size)
{
	mode = (struct gpu_mode){0};
	return gpu_edid_preferred(edid, size, ROOM, &mode);
}

static void run(void)
{
	unsigned accepted = 0;

	write_edid();
	ktest_check(!said(ROOM) && mode.width_px == 1366 && mode.height_px == 768, "the preferred timing is read");
	ktest_check(said(ROOM + 1) && said(EDID_BLOCK_BYTES - 1) && said(0) && said(UINT32_MAX),
		    "impossible sizes are refused");
	ktest_check(said(EDID_BLOCK_BYTES), "a block that is not there is missed");
	for (unsigned at = 0; at < ROOM; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			edid[at] ^= (uint8_t)(1u << bit);
			accepted += !said(ROOM);
			edid[at] ^= (uint8_t)(1u << bit);
		}
	ktest_check(!accepted, "every bit that is turned is found");
	memset(edid + 54, 0, 2);
	block_close(edid);
	ktest_check(said(ROOM) && !mode.width_px, "a descriptor without a pixel clock is refused");
	write_edid();
	edid[56] = edid[58] = 0;
	block_close(edid);
	ktest_check(said(ROOM), "so is a timing without a width");
}

KTEST_SUITE(gpu_edid, run);
