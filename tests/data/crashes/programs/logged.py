"""An exception that is caught and logged, in the middle of other records."""
import logging
import os

if os.environ.get("HEAD"):
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
else:
    logging.basicConfig(level=logging.INFO)
log = logging.getLogger("shop")


def sell(item):
    raise RuntimeError(f"cannot sell {item}")


log.info("the shop opens")
try:
    sell("tea")
except RuntimeError:
    log.exception("the till failed")
log.info("the shop closes")
