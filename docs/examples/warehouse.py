"""A warehouse over HTTP, in Python and without libraries. docs/fulfilment.md has the calls.

GATEWAY=http://127.0.0.1:8080 TOKEN=$(./sluice token --user gallery --scope service) \
  python3 docs/examples/warehouse.py
"""

import json
import os
import time
import urllib.error
import urllib.request
import uuid


def post(path, body):
    """Sends a request until it has an answer: repeats change nothing."""
    headers = {
        "authorization": f"Bearer {os.environ['TOKEN']}",
        "content-type": "application/json",
    }
    url = f"{os.environ['GATEWAY']}/v1/parts/{path}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    while True:
        try:
            with urllib.request.urlopen(request, timeout=45) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            if error.code < 429:
                return error.code, json.load(error)
        except OSError:
            pass  # no answer: the same request is sent again
        time.sleep(1)


packed = set()


def work(part):
    """It may be requested twice, if we do not report it in time; the key detects that."""
    if part["key"] in packed:
        return
    packed.add(part["key"])
    lines = ", ".join(f"{line['qty']} × {line['sku']}" for line in part["lines"])
    print(f"packing {part['key']}: {lines}", flush=True)


print(f"waiting for parts from {os.environ['GATEWAY']}", flush=True)
while True:
    claim = str(uuid.uuid4())
    status, answer = post("claim", {"claim": claim, "max": 16, "wait": 20, "lease": 60})
    if status in (401, 403):
        raise SystemExit(answer["title"])
    for part in answer.get("parts", []):
        work(part)
        status, answer = post("done", {"claim": claim, "key": part["key"], "outcome": "done"})
        # The lease has ended: the part comes again, and its key tells that it is packed.
        if status != 200:
            print(f"{part['key']}: {answer['title']}", flush=True)
