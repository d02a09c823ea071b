// A shop that throws what nobody catches.
#include <cstdlib>
#include <iostream>
#include <stdexcept>

static int sell(const char *item) { throw std::runtime_error(std::string("no ") + item + " since 12:00:01"); }

int main() {
    const char *head = std::getenv("HEAD");
    for (int number = 0; number < 3; number++) {
        std::cout << (head ? head : "") << "customer " << number << " enters the shop" << std::endl;
    }
    return sell("tea");
}
