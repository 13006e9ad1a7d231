/* What a carrier's library provides: it is loaded by its name. */
#ifndef CARRIER_H
#define CARRIER_H
#include <stddef.h>
/* Writes the route of a parcel to `out`; returns 0, or -1 when the carrier does not go there. */
typedef int carrier_route(const char *country, int grams, char *out, size_t size);
#endif
