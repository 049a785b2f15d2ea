/* clock: monotonic time decides everything (leases, back-off); wall time is only shown. Tests move a fake clock. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_mono_ms(void); /* CLOCK_BOOTTIME, milliseconds: goes on while the machine sleeps */
int64_t clock_mono_ns(void);
int64_t clock_wall_ms(void); /* Unix time, milliseconds */

#endif
