"""A shop whose till fails while it handles that the stock has failed."""
import os

HEAD = os.environ.get("HEAD", "")
STOCK = {"milk": 3}


class SoldOut(Exception):
    pass


def take(item):
    return STOCK[item]


def sell(item):
    try:
        take(item)
    except KeyError as error:
        raise SoldOut(f"no {item} since 12:00:01") from error


def serve():
    try:
        sell("tea")
    except SoldOut:
        return 1 / 0


for number in range(3):
    print(f"{HEAD}customer {number} enters the shop", flush=True)
serve()
