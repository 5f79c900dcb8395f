// A warehouse over HTTP, in Node and without libraries. docs/fulfilment.md has the calls.
//
//   GATEWAY=http://127.0.0.1:8080 TOKEN=$(./sluice token --user gallery --scope service) \
//     node docs/examples/warehouse.mjs
import { randomUUID } from "node:crypto";

const { GATEWAY, TOKEN } = process.env;

/** Sends a request until it has an answer: repeats change nothing. */
async function post(path, body) {
  for (;;) {
    try {
      const response = await fetch(`${GATEWAY}/v1/parts/${path}`, {
        method: "POST",
        headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(45_000),
      });
      const answer = await response.json();
      if (response.status < 429) return { status: response.status, ...answer };
    } catch {
      // No answer: the same request is sent again.
    }
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}

/** The work. It may be requested twice, if we do not report it in time; the key detects that. */
const packed = new Set();
async function work({ key, lines }) {
  if (packed.has(key)) return;
  packed.add(key);
  console.log(`packing ${key}: ${lines.map(({ sku, qty }) => `${qty} × ${sku}`).join(", ")}`);
}

console.log(`waiting for parts from ${GATEWAY}`);
for (;;) {
  const claim = randomUUID();
  const { parts = [], ...answer } = await post("claim", { claim, max: 16, wait: 20, lease: 60 });
  if (answer.status === 401 || answer.status === 403) throw new Error(answer.title);
  for (const part of parts) {
    await work(part);
    const report = await post("done", { claim, key: part.key, outcome: "done" });
    // The lease has ended: the part comes again, and its key tells that it is packed.
    if (report.status !== 200) console.log(`${part.key}: ${report.title}`);
  }
}
