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

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: loop getppid|file COUNT [wait]\n");
        return 2;
    }
    void (*turn)(void) = strcmp(argv[1], "file") == 0 ? turn_file : turn_getppid;
    long count = atol(argv[2]);
    if (argc > 3)
        getchar();

    // The first turns fill caches, and under a tracer they are what is new.
    for (long i = 0; i < count / 10; i++)
        turn();
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (long i = 0; i < count; i++)
        turn();
    clock_gettime(CLOCK_MONOTONIC, &end);
    double nanoseconds = (end.tv_sec - start.tv_sec) * 1e9 + (end.tv_nsec - start.tv_nsec);
    printf("%.1f\n", nanoseconds / count);
    return 0;
}
