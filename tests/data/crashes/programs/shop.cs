// A shop whose till fails because the stock failed.
using System;

class Shop {
    static int Take(string item) {
        throw new ArgumentException("no " + item + " since 12:00:01");
    }

    static int Sell(string item) {
        try {
            return Take(item);
        } catch (ArgumentException error) {
            throw new InvalidOperationException("cannot sell " + item, error);
        }
    }

    static void Main() {
        string head = Environment.GetEnvironmentVariable("HEAD") ?? "";
        for (int number = 0; number < 3; number++) {
            Console.WriteLine(head + "customer " + number + " enters the shop");
        }
        Sell("tea");
    }
}
