#ifdef __AVX512F__
#define VL 16
#define PEAK bench_peak_avx512
#include "tests/bench/peak.h"
#endif
