# What is installed: the program, the library (shared and static, headers, pkg-config), target sets, recipes, examples; and the
# Debian package of all of it (cpack -G DEB in the build folder, or make deb).
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY TRUE) # installing does not build tests and benchmarks

add_library(flavordiff_shared SHARED)
target_link_libraries(flavordiff_shared PRIVATE flavordiff_objects)
set_target_properties(flavordiff_shared PROPERTIES OUTPUT_NAME flavordiff VERSION ${PROJECT_VERSION} SOVERSION 0
                      LINKER_LANGUAGE C)
if(NOT FLAVORDIFF_SANITIZE) # what a sanitizer adds is in the program
  target_link_options(flavordiff_shared PRIVATE -Wl,--no-undefined)
endif()

# The static library is one object in which hidden names are local: it defines what the shared one shows, and nothing else.
set(static ${CMAKE_BINARY_DIR}/libflavordiff.a)
add_custom_command(OUTPUT ${static}
  COMMAND ${CMAKE_LINKER} -r -o flavordiff-whole.o $<TARGET_OBJECTS:flavordiff_objects>
  COMMAND ${CMAKE_OBJCOPY} --localize-hidden flavordiff-whole.o
  COMMAND ${CMAKE_COMMAND} -E rm -f ${static}
  COMMAND ${CMAKE_AR} qc ${static} flavordiff-whole.o
  COMMAND ${CMAKE_RANLIB} ${static}
  DEPENDS flavordiff_objects $<TARGET_OBJECTS:flavordiff_objects>
  COMMAND_EXPAND_LISTS VERBATIM)
add_custom_target(flavordiff_static ALL DEPENDS ${static})

set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "seesaw parameters behind measured neutrino masses and mixings")
# Paths in the .pc file are relative to it: the tree may be moved.
file(RELATIVE_PATH FD_PC_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(${CMAKE_SOURCE_DIR}/cmake/flavordiff.pc.in ${CMAKE_BINARY_DIR}/flavordiff.pc @ONLY)

install(TARGETS flavordiff RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS flavordiff_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${static} DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${CMAKE_BINARY_DIR}/flavordiff.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(DIRECTORY include/flavordiff DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY targets recipes DESTINATION ${CMAKE_INSTALL_DATADIR}/flavordiff FILES_MATCHING PATTERN "*.yaml")
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md")
install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY examples DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME flavordiff)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "the flavordiff authors <flavordiff@localhost>")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "Yukawa couplings and heavy right-handed masses of a type-I seesaw that reproduce measured
 neutrino masses and mixings, by conditional diffusion models, exact draws and Markov chains: program, C library and headers.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "gnuplot-nox | gnuplot, fonts-dejavu-core")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "python3-h5py, python3-matplotlib, pkg-config, libhdf5-dev, libcyaml-dev, libyaml-dev, libjansson-dev, zlib1g-dev")
set(CPACK_STRIP_FILES ON)
include(CPack)
