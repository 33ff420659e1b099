// The instruction sets that kernels are compiled for. Included before Highway.
#pragma once

// Highway's own lists are longer; those not named here are not worth their
// compile time, and without vectors the scalar backend is used instead.
#define HWY_DISABLED_TARGETS \
  (~(HWY_AVX2 | HWY_AVX3 | HWY_NEON | HWY_EMU128 | HWY_SCALAR))
