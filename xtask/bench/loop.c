// A loop of system calls, for `cargo xtask bench`: loop getppid|file COUNT [wait]
//
// Prints the nanoseconds of one turn. With `wait` it begins when a line comes on its input.

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SLICES 200

static const char *file = "/etc/hostname";

static void turn_getppid(void) {
    syscall(SYS_getppid);
}

static void turn_file(void) {
    char content[256];
    struct stat status;
    int fd = open(file, O_RDONLY);
    if (fd < 0 || read(fd, content, sizeof content) < 0 || close(fd) < 0 || stat(file, &status) < 0) {
        perror(file);
        exit(1);
    }
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    if (argc < 3 || atol(argv[2]) < SLICES) {
        fprintf(stderr, "usage: loop getppid|file COUNT [wait]; COUNT is at least 200\n");
        return 2;
    }
    void (*turn)(void) = strcmp(argv[1], "file") == 0 ? turn_file : turn_getppid;
    long count = atol(argv[2]);
    if (argc > 3)
        getchar();

    // The first turns fill caches, and under a tracer they are what is new.
    for (long i = 0; i < count / 10; i++)
        turn();
    // The median of many slices: what else runs on the machine takes some of them, and is not what is measured.
    static double slices[SLICES];
    for (int slice = 0; slice < SLICES; slice++) {
        struct timespec start, end;
        clock_gettime(CLOCK_MONOTONIC, &start);
        for (long i = 0; i < count / SLICES; i++)
            turn();
        clock_gettime(CLOCK_MONOTONIC, &end);
        double nanoseconds = (end.tv_sec - start.tv_sec) * 1e9 + (end.tv_nsec - start.tv_nsec);
        slices[slice] = nanoseconds / (count / SLICES);
    }
    qsort(slices, SLICES, sizeof *slices, ascending);
    printf("%.1f\n", slices[SLICES / 2]);
    return 0;
}
