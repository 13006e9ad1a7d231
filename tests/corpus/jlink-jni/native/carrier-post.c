/* The post: depots by country. */
#include "carrier.h"
#include <stdio.h>
#include <string.h>
static const struct { const char *country, *depot; int zone; } depots[] = {
    {"DE", "Leipzig", 0}, {"AT", "Linz", 1}, {"FR", "Metz", 1}, {"SE", "Malmö", 1}, {"GR", "Θεσσαλονίκη", 1}};
__attribute__((visibility("default"))) int route(const char *country, int grams, char *out, size_t size) {
    if (grams > 31500)
        return -1;
    for (size_t i = 0; i < sizeof depots / sizeof *depots; i++)
        if (!strcmp(depots[i].country, country)) {
            snprintf(out, size, "post;%s;zone %d;%s", depots[i].depot, depots[i].zone, grams > 2000 ? "parcel" : "packet");
            return 0;
        }
    return -1;
}
