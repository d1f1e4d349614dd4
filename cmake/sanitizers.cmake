# LARDER_SANITIZE: what goes behind -fsanitize= for everything that is built.
set(LARDER_SANITIZE "" CACHE STRING "Sanitizers, comma-separated")
if(LARDER_SANITIZE)
  add_compile_options(-fsanitize=${LARDER_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${LARDER_SANITIZE})
  if(LARDER_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
endif()
