# Makes the libraries for programs in C and C++, and installs them, the headers, and what CMake's
# find_package(weightinit_fast) and pkg-config read.  CMakeLists.txt includes this file.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)
set(wif_config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/weightinit_fast)

# What a program that links the static library links too, by names that pkg-config understands.
set(wif_private_libraries "")
if(TARGET Threads::Threads AND WIF_THREADS)
  if(WIN32)
    list(APPEND wif_private_libraries synchronization)
  else()
    list(APPEND wif_private_libraries pthread ${CMAKE_DL_LIBS})
  endif()
endif()
if(WIF_LIBM)
  list(APPEND wif_private_libraries m)
endif()
list(REMOVE_DUPLICATES wif_private_libraries)

# Archives record when, and by whom, their members were made, unless this is forbidden; and two builds
# of one commit have to make the same bytes.
if(APPLE)
  foreach(step CREATE APPEND FINISH)
    set(CMAKE_C_ARCHIVE_${step} "\"${CMAKE_COMMAND}\" -E env ZERO_AR_DATE=1 ${CMAKE_C_ARCHIVE_${step}}")
  endforeach()
else()
  execute_process(COMMAND ${CMAKE_AR} --version OUTPUT_VARIABLE wif_ar ERROR_QUIET)
  if(wif_ar MATCHES "GNU ar|LLVM")
    set(CMAKE_C_ARCHIVE_CREATE "<CMAKE_AR> qcD <TARGET> <LINK_FLAGS> <OBJECTS>")
    set(CMAKE_C_ARCHIVE_APPEND "<CMAKE_AR> qD <TARGET> <LINK_FLAGS> <OBJECTS>")
    set(CMAKE_C_ARCHIVE_FINISH "<CMAKE_RANLIB> -D <TARGET>")
  endif()
endif()

# The archive has every object of the engine, by the sources of wif_engine's interface.  The
# functions of weightinit_fast.h are hidden in it, so that a library that is linked from it does not
# export them.
add_library(wif_static STATIC $<TARGET_PROPERTY:wif_engine,INTERFACE_SOURCES>)
add_library(weightinit_fast::static ALIAS wif_static)
set_target_properties(wif_static PROPERTIES OUTPUT_NAME weightinit_fast EXPORT_NAME static
                                            LINKER_LANGUAGE C)
if(WIN32 AND WIF_SHARED) # where the import library of the DLL has the other name
  set_target_properties(wif_static PROPERTIES OUTPUT_NAME weightinit_fast_static)
endif()
target_link_libraries(wif_static INTERFACE ${wif_private_libraries})
set(wif_installed wif_static)

# The shared library shows the functions of weightinit_fast.h and no others.  For that the files
# which define them are compiled again, with WIF_EXPORTING; the kernels are the same objects.
if(WIF_SHARED)
  get_target_property(wif_sources wif_engine SOURCES)
  list(FILTER wif_sources INCLUDE REGEX "^(api|host|isa|system)/")
  add_library(wif_shared SHARED ${wif_sources})
  add_library(weightinit_fast::shared ALIAS wif_shared)
  get_property(wif_isas GLOBAL PROPERTY WIF_ISAS)
  foreach(name IN LISTS wif_isas)
    if(TARGET wif_${name})
      target_sources(wif_shared PRIVATE $<TARGET_OBJECTS:wif_${name}>)
    endif()
  endforeach()
  foreach(property COMPILE_OPTIONS COMPILE_DEFINITIONS INCLUDE_DIRECTORIES)
    get_target_property(value wif_engine ${property})
    if(value)
      set_target_properties(wif_shared PROPERTIES ${property} "${value}")
    endif()
  endforeach()
  target_compile_definitions(wif_shared PRIVATE WIF_EXPORTING INTERFACE WIF_SHARED)
  set_target_properties(wif_shared PROPERTIES OUTPUT_NAME weightinit_fast EXPORT_NAME shared
                                              VERSION ${PROJECT_VERSION} SOVERSION 1)
  target_link_libraries(wif_shared PRIVATE ${wif_private_libraries})
  list(APPEND wif_installed wif_shared)
endif()

foreach(target IN LISTS wif_installed)
  target_include_directories(
    ${target} INTERFACE "$<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}>"
                        "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
endforeach()
install(TARGETS ${wif_installed} EXPORT weightinit_fast-targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES weightinit_fast.h weightinit_fast_python.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT weightinit_fast-targets NAMESPACE weightinit_fast:: DESTINATION ${wif_config_dir})
configure_package_config_file(
  weightinit_fast-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/weightinit_fast-config.cmake
  INSTALL_DESTINATION ${wif_config_dir} PATH_VARS CMAKE_INSTALL_INCLUDEDIR
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(
  ${CMAKE_CURRENT_BINARY_DIR}/weightinit_fast-config-version.cmake
  VERSION ${PROJECT_VERSION} COMPATIBILITY SameMajorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/weightinit_fast-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/weightinit_fast-config-version.cmake
        DESTINATION ${wif_config_dir})

# pkg-config.  Without a shared library, every program links the static one, so that its libraries are
# needed without the option --static too.
list(TRANSFORM wif_private_libraries PREPEND -l)
list(JOIN wif_private_libraries " " wif_pkgconfig_private)
set(wif_pkgconfig_libraries "-lweightinit_fast")
if(NOT WIF_SHARED)
  string(APPEND wif_pkgconfig_libraries " ${wif_pkgconfig_private}")
  set(wif_pkgconfig_private "")
endif()
# The places of files are relative to weightinit_fast.pc, since an installation may be moved.  They
# are computed from the full paths, because some systems set absolute ones, such as Nix.
set(wif_pkgconfig_dir "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig")
file(RELATIVE_PATH wif_pkgconfig_prefix "${wif_pkgconfig_dir}" "${CMAKE_INSTALL_PREFIX}")
file(RELATIVE_PATH wif_pkgconfig_includedir "${wif_pkgconfig_dir}" "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
configure_file(weightinit_fast.pc.in ${CMAKE_CURRENT_BINARY_DIR}/weightinit_fast.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/weightinit_fast.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
