/* Mathematical constants; C17 names none. */
#ifndef FD_BASE_CONSTANTS_H
#define FD_BASE_CONSTANTS_H

#define FD_PI 3.14159265358979323846
#define FD_TWO_PI 6.283185307179586476925

#endif
