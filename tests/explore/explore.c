/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Every scenario of this folder in one program. */
#include "explore.h"

int main(int argc, char **argv)
{
	return vt_main(argc, argv, (const struct vt_scenario *const[]){
		&lookup_unmap, NULL });
}
