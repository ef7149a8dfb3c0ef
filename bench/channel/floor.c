/* The floor: a program that accepts TCP connections and writes the same bytes to each, and does nothing else. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 20000
static int viewers[MOST];
static int count_viewers;

static long long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void sleep_until(long long at_ns) {
    struct timespec at = {at_ns / 1000000000LL, at_ns % 1000000000LL};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {}
}

static void accept_all(int listening) {
    for (;;) {
        int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK), one = 1;
        if (fd < 0 || count_viewers == MOST) return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        viewers[count_viewers++] = fd;
    }
}

static int write_to(int fd, const char *data, int size) {
    for (int done = 0; done < size;) {
        ssize_t taken = write(fd, data + done, size - done);
        if (taken > 0) done += taken;
        else if (errno != EAGAIN) return -1;
        else usleep(100);
    }
    return 0;
}

int main(int argc, char **argv) {
    int size = argc > 1 ? atoi(argv[1]) : 5000;
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (bind(listening, (void *)&address, length) || listen(listening, 4096)) return 1;
    getsockname(listening, (void *)&address, &length);
    printf("{\"port\": %d, \"pids\": [%d]}\n", ntohs(address.sin_port), getpid());
    fflush(stdout);

    char *frame = malloc(size + 4), line[256];
    memset(frame, 'x', size + 4);
    frame[0] = (char)0x81, frame[1] = 126, frame[2] = (char)(size >> 8), frame[3] = (char)size;
    while (fgets(line, sizeof line, stdin)) {
        int first, count;
        long interval_us;
        if (sscanf(line, "run %d %d %ld", &first, &count, &interval_us) != 3) {
            accept_all(listening);
            printf("{\"viewers\": %d}\n", count_viewers);
            fflush(stdout);
            continue;
        }
        long long begin_ns = now_ns();
        printf("{\"sent_ns\": [");
        for (int number = 0; number < count; number++) {
            char mark[16];
            sleep_until(begin_ns + number * interval_us * 1000LL);
            snprintf(mark, sizeof mark, "mark-%08d-", first + number);
            memcpy(frame + 4 + size - 100, mark, 14);
            printf("%s%lld", number ? ", " : "", now_ns());
            for (int place = 0; place < count_viewers; place++) write_to(viewers[place], frame, size + 4);
        }
        printf("]}\n");
        fflush(stdout);
    }
    return 0;
}
