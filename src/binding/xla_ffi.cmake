# Builds the library by which XLA's compiled programs call the engine (xla_ffi.c), where XLA's header
# is found.  Nothing else needs the library: without it, weightinit_fast.jax calls back into Python
# under jax.jit.  CMakeLists.txt includes this file.
set(WIF_XLA_INCLUDE_DIR "" CACHE PATH
    "The folder that holds xla/ffi/api/c_api.h, seen from that of this project if it is relative; \
empty: that of the jaxlib of the building Python")

# Tell that the handler is not built; fail if WIF_REQUIRE names it.  "all" does not name it, since it
# means what the engine has, and a build from source finds no jaxlib on most systems.
function(wif_tell_no_xla why)
  string(REPLACE "," ";" required "${WIF_REQUIRE}")
  if("xla" IN_LIST required)
    message(SEND_ERROR "weightinit_fast: WIF_REQUIRE=${WIF_REQUIRE} requires xla, the FFI handler "
                       "for JAX, which cannot be built: ${why}")
  else()
    message(STATUS "XLA: the FFI handler for JAX is not built, since ${why}")
  endif()
endfunction()

# jaxlib's wheel holds the header.  A build by pip has an environment of its own, which hides the
# packages of the Python that the build is for; -I makes Python look past it.
set(wif_xla_include "${WIF_XLA_INCLUDE_DIR}")
if(wif_xla_include)
  get_filename_component(wif_xla_include "${wif_xla_include}" ABSOLUTE BASE_DIR ${CMAKE_SOURCE_DIR})
endif()
set(wif_find_jaxlib "from importlib.util import find_spec
found = find_spec('jaxlib')
print(found.submodule_search_locations[0] if found else '', end='')")
foreach(isolation IN ITEMS -B -I)
  if(NOT wif_xla_include)
    execute_process(COMMAND ${Python_EXECUTABLE} ${isolation} -c "${wif_find_jaxlib}"
                    OUTPUT_VARIABLE wif_jaxlib ERROR_QUIET)
    if(EXISTS "${wif_jaxlib}/include/xla/ffi/api/c_api.h")
      set(wif_xla_include "${wif_jaxlib}/include")
    endif()
  endif()
endforeach()

# A later header may have changed what the handler uses, which must not end the build of the package.
unset(wif_xla_compiles CACHE)
if(EXISTS "${wif_xla_include}/xla/ffi/api/c_api.h")
  set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
  try_compile(wif_xla_compiles ${CMAKE_CURRENT_BINARY_DIR}/xla_ffi
              SOURCES ${CMAKE_CURRENT_LIST_DIR}/xla_ffi.c
              CMAKE_FLAGS "-DINCLUDE_DIRECTORIES=${wif_xla_include}\;${CMAKE_SOURCE_DIR}/src/engine"
                          -DCMAKE_C_STANDARD=11
              OUTPUT_VARIABLE wif_xla_output)
  unset(CMAKE_TRY_COMPILE_TARGET_TYPE)
  if(wif_xla_compiles)
    message(STATUS "XLA: the FFI handler for JAX is built, with the header in ${wif_xla_include}")
  else()
    string(REGEX MATCH "[^\n]*error[^\n]*" wif_xla_error "${wif_xla_output}")
    wif_tell_no_xla("it does not compile with the header in ${wif_xla_include}: ${wif_xla_error}")
  endif()
elseif(WIF_XLA_INCLUDE_DIR)
  message(FATAL_ERROR "WIF_XLA_INCLUDE_DIR: there is no xla/ffi/api/c_api.h in ${wif_xla_include}")
else()
  wif_tell_no_xla("jaxlib, which has XLA's header, is not installed; -DWIF_XLA_INCLUDE_DIR= names \
another folder with the header, and src/binding/fetch_xla_header.py fetches it")
endif()

if(wif_xla_compiles)
  # Of the engine it has what system/system.h declares, and gets all else through wif_api.
  add_library(wif_xla MODULE ${CMAKE_CURRENT_LIST_DIR}/xla_ffi.c src/engine/system/linux.c
                             src/engine/system/posix.c src/engine/system/win32.c)
  set_target_properties(wif_xla PROPERTIES PREFIX "" OUTPUT_NAME weightinit_fast_xla)
  target_include_directories(wif_xla SYSTEM PRIVATE ${wif_xla_include})
  target_include_directories(wif_xla PRIVATE src/engine)
  install(TARGETS wif_xla DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
