/* Air freight: great circles between airports. */
#include "carrier.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
static const struct { const char *country, *port; double lat, lon; } ports[] = {
    {"JP", "KIX", 34.43, 135.23}, {"TH", "BKK", 13.69, 100.75}, {"US", "EWR", 40.69, -74.17}, {"IN", "CCU", 22.65, 88.45}};
__attribute__((visibility("default"))) int route(const char *country, int grams, char *out, size_t size) {
    const double rad = acos(-1) / 180, lat = 51.42 * rad, lon = 12.24 * rad;
    for (size_t i = 0; i < sizeof ports / sizeof *ports; i++)
        if (!strcmp(ports[i].country, country)) {
            double b = ports[i].lat * rad, l = ports[i].lon * rad;
            double km = 6371 * acos(sin(lat) * sin(b) + cos(lat) * cos(b) * cos(l - lon));
            snprintf(out, size, "air;LEJ-%s;zone 2;%.0f km, %.1f kgCO2", ports[i].port, km, km * grams * 6e-7);
            return 0;
        }
    return -1;
}
