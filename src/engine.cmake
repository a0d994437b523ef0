# The C engine as the object library wif_engine: what it takes to draw, without Python.
include(CheckCCompilerFlag)
include(CheckCSourceCompiles)
set(wif_engine_dir ${CMAKE_CURRENT_LIST_DIR})

add_library(wif_engine OBJECT ${CMAKE_CURRENT_LIST_DIR}/dispatch.c
                              ${CMAKE_CURRENT_LIST_DIR}/params.c)
target_include_directories(wif_engine PUBLIC ${CMAKE_CURRENT_LIST_DIR})

# Every set's bits must be those of the source: no contraction but the vocabulary's own fma, no
# errno from sqrt.  (GCC ignores the FP_CONTRACT pragma.)
set(WIF_OPTIMISATION -O3 CACHE STRING
    "Of the kernels: the bits are the same at every level (sanitizers: -O1, in minutes less)")
set(wif_kernel_flags "")
if(CMAKE_C_COMPILER_ID MATCHES "GNU|Clang")
  # In this order: GCC's -fno-fast-math brings math-errno back.
  set(wif_kernel_flags ${WIF_OPTIMISATION} -fno-fast-math -fno-math-errno -ffp-contract=off)
  target_compile_options(wif_engine PRIVATE -fno-fast-math -fno-math-errno -ffp-contract=off)
endif()

# Tiles and strips are tens of KiB on the stack: where a thread's is too small, its guard page must
# be met, not stepped over into other memory.
check_c_compiler_flag(-fstack-clash-protection WIF_CC_stack_clash_protection)
if(WIF_CC_stack_clash_protection)
  list(APPEND wif_kernel_flags -fstack-clash-protection)
  target_compile_options(wif_engine PUBLIC -fstack-clash-protection)
endif()

# wif_add_isa(name probe flags...): compile isa_<name>.c where the compiler takes the flags and the
# probe, an expression which needs them.
function(wif_add_isa name headers probe)
  string(REPLACE ";" " " CMAKE_REQUIRED_FLAGS "${ARGN}")
  check_c_source_compiles("${headers}\nint main(void) { ${probe}; return 0; }" WIF_CC_${name})
  if(NOT WIF_CC_${name})
    return()
  endif()
  add_library(wif_${name} OBJECT ${wif_engine_dir}/isa_${name}.c)
  target_compile_options(wif_${name} PRIVATE ${wif_kernel_flags} ${ARGN})
  target_sources(wif_engine INTERFACE $<TARGET_OBJECTS:wif_${name}>)
  target_compile_definitions(wif_engine PRIVATE WIF_BUILD_${name})
endfunction()

wif_add_isa(scalar "" "")
set(x86 "#include <immintrin.h>")
set(avx2 -mavx2 -mfma -mf16c -maes)
set(avx512 ${avx2} -mavx512f -mavx512bw -mavx512dq -mavx512vl)
wif_add_isa(avx2 "${x86}" "_mm256_abs_epi8(_mm256_setzero_si256())" ${avx2})
wif_add_isa(avx2_vaes "${x86}"
            "_mm256_aesenc_epi128(_mm256_setzero_si256(), _mm256_setzero_si256())" ${avx2} -mvaes)
wif_add_isa(avx512 "${x86}" "_mm512_cvtepi64_pd(_mm512_setzero_si512())" ${avx512})
wif_add_isa(avx512_vaes "${x86}"
            "_mm512_aesenc_epi128(_mm512_setzero_si512(), _mm512_setzero_si512())" ${avx512} -mvaes)
if(WIF_CC_avx512_vaes) # whose kernels it falls back on
  wif_add_isa(avx512_bf16 "${x86}"
              "_mm512_cvtne2ps_pbh(_mm512_setzero_ps(), _mm512_setzero_ps())" ${avx512} -mvaes
              -mavx512bf16)
endif()
wif_add_isa(neon "#include <arm_neon.h>\n#ifndef __AARCH64EL__\n#error\n#endif"
            "vaeseq_u8(vdupq_n_u8(0), vdupq_n_u8(0))" -march=armv8-a+crypto)

target_sources(wif_engine INTERFACE $<TARGET_OBJECTS:wif_engine>)
set(CMAKE_REQUIRED_LIBRARIES m) # rint, ldexp, fegetenv; here and there fma and sqrt
check_c_source_compiles("int main(void) { return 0; }" WIF_LIBM)
unset(CMAKE_REQUIRED_LIBRARIES)
if(WIF_LIBM)
  target_link_libraries(wif_engine INTERFACE m)
endif()
