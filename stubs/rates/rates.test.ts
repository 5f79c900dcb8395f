import { afterAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import fc from "fast-check";
import { minorDigits } from "../../core/domain/currency.ts";
import { readRate, wrongValue } from "../../core/domain/rate.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { testDir } from "../../test/services.ts";
import { crossRate } from "./rate-service.ts";
import { openSource, readQuotes } from "./source.ts";
import { EUR_RATES } from "./table.ts";

const quotes = (rates: Record<string, string>) => ({
  base: "EUR",
  atMs: 1,
  rates: new Map(Object.entries(rates)),
});

function endless(): ReadableStream<Uint8Array> {
  return new ReadableStream({ pull: (to) => to.enqueue(Buffer.alloc(65_536, " ")) });
}

test("a pair of two other currencies is crossed, to ten digits", () => {
  const held = quotes({ USD: "1.08", JPY: "163", KWD: "0.332", VND: "27000" });
  expect(crossRate(held, "USD", "JPY")).toBe("150.9259259");
  expect(crossRate(held, "JPY", "USD")).toBe("0.006625766871");
  expect(crossRate(held, "USD", "EUR")).toBe("0.9259259259");
  expect(crossRate(held, "VND", "KWD")).toBe("0.000012296296");
  expect([
    crossRate(held, "USD", "CHF"),
    crossRate(held, "CHF", "USD"),
    crossRate(held, "USD", "USD"),
  ]).toEqual([undefined, undefined, undefined]);
});

test("every crossed rate is valid for a worker, and within 0.01% of the quotient", () => {
  const value = fc
    .tuple(fc.integer({ min: 0, max: 99_999 }), fc.integer({ min: 1, max: 999_999 }))
    .map(([w, f]) => `${w}.${f}`);
  fc.assert(
    fc.property(value, value, (usd, jpy) => {
      const crossed = crossRate(quotes({ USD: usd, JPY: jpy }), "USD", "JPY");
      const quotient = Number(jpy) / Number(usd);
      if (crossed === undefined) return expect(quotient).toBeLessThan(1e-11);
      expect(wrongValue(crossed)).toBeUndefined();
      if (quotient > 1e-8) expect(Math.abs(Number(crossed) / quotient - 1)).toBeLessThan(1e-4);
    }),
  );
});

describe("a source", () => {
  test("of a file is read again each time, and errors in it are named", async () => {
    const file = `${testDir("rates")}/rates.json`;
    const source = openSource(realRuntime, `file:${file}`);
    expect(source.load()).rejects.toThrow("ENOENT");
    writeFileSync(
      file,
      JSON.stringify({
        base: "EUR",
        at: "2027-01-31T10:00:00Z",
        rates: { USD: "1.08", JPY: 163.5, EUR: 1, VND: 1e-7 },
      }),
    );
    expect(await source.load()).toEqual({
      base: "EUR",
      atMs: Date.UTC(2027, 0, 31, 10),
      rates: new Map([
        ["USD", "1.08"],
        ["JPY", "163.5"],
        ["VND", "0.000000100000"],
      ]),
    });
    for (const [text, why] of [
      ["{", "not JSON"],
      ["null", "'base'"],
      [`{"base":"EURO","rates":{}}`, "'base'"],
      [`{"base":"EUR","at":"soon","rates":{}}`, "'at'"],
      [`{"base":"EUR"}`, "'rates'"],
      [`{"base":"EUR","rates":{"US":"1"}}`, "'rates.US'"],
      [`{"base":"EUR","rates":{"USD":"-1"}}`, "'rates.USD': value"],
      [`{"base":"EUR","rates":{"USD":0}}`, "'rates.USD': value"],
    ] as const)
      expect(() => readQuotes(text, "the file", 0)).toThrow(why);
  });

  /** 50 kB that unpack to 50 MB. */
  const packed = Bun.gzipSync(Buffer.alloc(50_000_000, " "));
  const server = Bun.serve({
    port: 0,
    fetch: (request) => {
      if (request.url.endsWith("/endless")) return new Response(endless());
      if (request.url.endsWith("/packed"))
        return new Response(packed, { headers: { "content-encoding": "gzip" } });
      return request.url.endsWith("/rates")
        ? Response.json({ base: "USD", rates: { EUR: "0.92" } })
        : new Response("no", { status: 500 });
    },
  });
  afterAll(() => server.stop(true));

  test("over HTTP", async () => {
    expect((await openSource(realRuntime, `${server.url}rates`).load()).rates.get("EUR")).toBe(
      "0.92",
    );
    expect(openSource(realRuntime, `${server.url}other`).load()).rejects.toThrow("answered 500");
  });

  test("over HTTP, an error has no secret of its address", async () => {
    const { host } = server.url;
    const source = openSource(realRuntime, `http://ann:s3cr@${host}/s3cr/other?key=s3cr`);
    const error = await source.load().catch(String);
    expect(error).toBe(`Error: http://…@${host}/…?key=… answered 500`);
  });

  test("an answer without an end is cut off at its bound, and a file is not read beyond it", () => {
    const load = (source: string) => openSource(realRuntime, source).load();
    for (const path of ["endless", "packed"])
      expect(load(server.url + path)).rejects.toThrow("answered more than 1000000 bytes");
    const path = `${testDir("rates")}/large.json`;
    writeFileSync(path, " ".repeat(1_000_001));
    expect(load(`file:${path}`)).rejects.toThrow("has 1000001 bytes, at most 1000000");
  });

  test("that walks starts at its table, moves a little, repeats by seed, stays valid", async () => {
    const [a, b, c] = [
      openSource(realRuntime, "walk:7"),
      openSource(realRuntime, "walk:7"),
      openSource(realRuntime, "walk:8"),
    ];
    let last = await a.load();
    expect((await b.load()).rates).toEqual(last.rates);
    expect((await c.load()).rates).not.toEqual(last.rates);
    for (const [currency] of EUR_RATES) minorDigits(currency);
    for (let i = 0; i < 500; i++) {
      const next = await a.load();
      for (const [quote, value] of next.rates) {
        expect(typeof readRate({ id: "w", pair: `EUR/${quote}`, value, atMs: 1 })).toBe("object");
        expect(Math.abs(Number(value) / Number(last.rates.get(quote)) - 1)).toBeLessThan(0.0011);
      }
      last = next;
    }
  });

  test("of an unknown kind is rejected", () =>
    expect(() => openSource(realRuntime, "ftp://x")).toThrow("SLUICE_RATES_SOURCE"));
});
