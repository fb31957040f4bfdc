/* What the shared library shows: the declarations between these two marks, in every header of this folder. Everything else is
 * hidden (the library is built with -fvisibility=hidden). */
#ifndef FLAVORDIFF_API_H
#define FLAVORDIFF_API_H

#if defined(__GNUC__)
#define FD_VISIBLE_BEGIN _Pragma("GCC visibility push(default)")
#define FD_VISIBLE_END _Pragma("GCC visibility pop")
#else
#define FD_VISIBLE_BEGIN
#define FD_VISIBLE_END
#endif

#if defined(__cplusplus)
#define FD_DECLS_BEGIN FD_VISIBLE_BEGIN extern "C" {
#define FD_DECLS_END } FD_VISIBLE_END
#else
#define FD_DECLS_BEGIN FD_VISIBLE_BEGIN
#define FD_DECLS_END FD_VISIBLE_END
#endif

#endif
