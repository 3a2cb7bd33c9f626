/* Sends back what it receives: echo_server tcp|udp PORT. Over TCP one connection, until its end; over UDP one datagram. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

static void fail(const char *call)
{
    perror(call);
    exit(1);
}

int main(int count, char *words[])
{
    int udp = count > 2 && strcmp(words[1], "udp") == 0;
    struct sockaddr_in address = {.sin_family = AF_INET}, peer;
    socklen_t length = sizeof peer;
    char data[1024];
    ssize_t size;
    int on = 1;

    if (count != 3)
        return fprintf(stderr, "usage: echo_server tcp|udp PORT\n"), 2;
    address.sin_port = htons(atoi(words[2]));      /* the network's byte order */
    address.sin_addr.s_addr = htonl(INADDR_ANY);

    int s = socket(AF_INET, udp ? SOCK_DGRAM : SOCK_STREAM, 0);
    if (s < 0)
        fail("socket");
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(s, (struct sockaddr *)&address, sizeof address) < 0)
        fail("bind");
    if (!udp && listen(s, 5) < 0)
        fail("listen");
    printf("ready\n");
    fflush(stdout);

    if (udp) {
        size = recvfrom(s, data, sizeof data, 0, (struct sockaddr *)&peer, &length);
        if (size < 0 || sendto(s, data, size, 0, (struct sockaddr *)&peer, length) != size)
            fail("echo");
        return 0;
    }
    int c = accept(s, NULL, NULL);
    if (c < 0)
        fail("accept");
    while ((size = recv(c, data, sizeof data, 0)) > 0)
        if (send(c, data, size, 0) != size)
            fail("send");
    close(c);
    close(s);
    return size < 0;
}
