/* A shop that asserts what is not so. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static int sell(int stock) {
    assert(stock > 0);
    return stock - 1;
}

int main(void) {
    const char *head = getenv("HEAD");
    for (int number = 0; number < 3; number++) {
        printf("%scustomer %d enters the shop\n", head ? head : "", number);
    }
    fflush(stdout);
    return sell(0);
}
