"""A thread dies and the program lives on."""
import os
import threading
import time

HEAD = os.environ.get("HEAD", "")


def sell():
    raise ValueError("no tea")


print(f"{HEAD}the shop opens", flush=True)
seller = threading.Thread(target=sell)
seller.start()
seller.join()
time.sleep(0.05)
print(f"{HEAD}the shop closes", flush=True)
