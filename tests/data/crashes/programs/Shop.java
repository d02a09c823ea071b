/** A shop with causes of causes, and something suppressed. */
public class Shop {
    static class SoldOut extends RuntimeException {
        SoldOut(String message, Throwable cause) {
            super(message, cause);
        }
    }

    static class Till implements AutoCloseable {
        public void close() {
            throw new IllegalStateException("the till is stuck");
        }
    }

    static void take(String item) {
        throw new IllegalArgumentException("no " + item + " since 12:00:01");
    }

    static void sell(String item) {
        try (Till till = new Till()) {
            take(item);
        } catch (RuntimeException error) {
            throw new SoldOut("cannot sell " + item, error);
        }
    }

    public static void main(String[] args) {
        String head = System.getenv().getOrDefault("HEAD", "");
        for (int number = 0; number < 3; number++) {
            System.out.println(head + "customer " + number + " enters the shop");
        }
        sell("tea");
    }
}
