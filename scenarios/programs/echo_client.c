/* Sends "hello", prints what comes back: echo_client tcp|udp HOST PORT. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int count, char *words[])
{
    struct addrinfo hints = {.ai_family = AF_INET}, *found;
    const char *said = "hello";
    size_t whole = strlen(said), got = 0;
    char data[1024];

    if (count != 4)
        return fprintf(stderr, "usage: echo_client tcp|udp HOST PORT\n"), 2;
    hints.ai_socktype = strcmp(words[1], "udp") == 0 ? SOCK_DGRAM : SOCK_STREAM;
    int problem = getaddrinfo(words[2], words[3], &hints, &found);
    if (problem != 0)
        return fprintf(stderr, "getaddrinfo: %s\n", gai_strerror(problem)), 1;

    int c = socket(found->ai_family, found->ai_socktype, 0);
    if (c < 0 || connect(c, found->ai_addr, found->ai_addrlen) < 0)
        return perror("connect"), 1;
    if (send(c, said, whole, 0) != (ssize_t)whole)
        return perror("send"), 1;
    while (got < whole) {                          /* TCP may give it in pieces */
        ssize_t size = recv(c, data + got, sizeof data - got, 0);
        if (size <= 0)
            return perror("recv"), 1;
        got += size;
    }
    printf("%.*s\n", (int)got, data);
    close(c);
    freeaddrinfo(found);
    return 0;
}
