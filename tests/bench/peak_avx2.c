#ifdef __AVX2__
#define VL 8
#define PEAK bench_peak_avx2
#include "tests/bench/peak.h"
#endif
