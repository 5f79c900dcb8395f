// A key set that changes, fails and lies: what becomes of tokens.
import { afterEach, expect, test } from "bun:test";
import { exportJWK, generateKeyPair, type CryptoKey as JoseKey, type JWK, SignJWT } from "jose";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { Problem } from "../http/problem.ts";
import { AUDIENCE, ISSUER } from "../testing.ts";
import { Auth } from "./auth.ts";

interface Pair {
  readonly privateKey: JoseKey;
  readonly jwk: JWK;
}

async function pair(kid: string): Promise<Pair> {
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: "ES256", use: "sig" } };
}

let serial = 0;

/** A token that no cache knows. */
function signed({ privateKey }: Pair, kid?: string): Promise<string> {
  return new SignJWT({ jti: String(serial++) })
    .setProtectedHeader({ alg: "ES256", ...(kid === undefined ? {} : { kid }) })
    .setSubject("ann")
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setExpirationTime("1h")
    .sign(privateKey);
}

const servers: { stop(now: boolean): unknown }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.stop(true);
});

/** An issuer's key set, and a gateway's clock that a test moves. */
async function issuer(...pairs: Pair[]) {
  const state = {
    keys: pairs.map(({ jwk }) => jwk),
    answer: undefined as (() => Response | Promise<Response>) | undefined,
    fetched: 0,
    aheadMs: 0,
  };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => {
      state.fetched++;
      return state.answer?.() ?? Response.json({ keys: state.keys });
    },
  });
  servers.push(server);
  const runtime = {
    ...realRuntime,
    monotonicMs: () => realRuntime.monotonicMs() + state.aheadMs,
    // The deadline of a request, a tenth of it.
    startTimer: (call: () => void, ms: number) => realRuntime.startTimer(call, ms / 10),
  };
  const auth = await Auth.create(
    {
      algorithm: "ES256",
      issuer: ISSUER,
      audience: AUDIENCE,
      key: { kind: "jwksUrl", url: `${server.url.href}jwks` },
    },
    { runtime, shards: 4, clock: () => Date.now() + state.aheadMs, maxCached: 100 },
  );
  const verdict = async (token: string) => {
    const got = await auth.token(token);
    return got instanceof Problem ? got.code : got.user;
  };
  return { state, auth, verdict };
}

test("a key just published is fetched at once, but strangers cause few requests", async () => {
  const [k1, k2, stranger] = [await pair("k1"), await pair("k2"), await pair("x")];
  const { state, verdict } = await issuer(k1);
  expect(await verdict(await signed(k1, "k1"))).toBe("ann");
  state.aheadMs += 3_000;
  state.keys.push(k2.jwk);
  expect(await verdict(await signed(k2, "k2"))).toBe("ann");
  expect(state.fetched).toBe(2);
  for (let i = 0; i < 20; i++)
    expect(await verdict(await signed(stranger, `none-${i}`))).toBe("unavailable");
  expect(state.fetched).toBe(2);
  state.aheadMs += 3_000;
  expect(await verdict(await signed(stranger, "none"))).toBe("bad_token");
  expect(await verdict(await signed(stranger, "k1"))).toBe("bad_token");
  expect(state.fetched).toBe(3);
});

test("without a key's id all keys of the set are tried", async () => {
  const [k1, k2, stranger] = [await pair("k1"), await pair("k2"), await pair("x")];
  const { state, verdict } = await issuer(k1, k2);
  expect(await verdict(await signed(k1))).toBe("ann");
  expect(await verdict(await signed(k2))).toBe("ann");
  state.aheadMs += 3_000;
  expect(await verdict(await signed(stranger))).toBe("bad_token");
});

test("a withdrawn key is believed for minutes, not hours", async () => {
  const [k1, k2] = [await pair("k1"), await pair("k2")];
  const { state, verdict } = await issuer(k1, k2);
  const token = await signed(k1, "k1");
  expect(await verdict(token)).toBe("ann");
  state.keys = [k2.jwk];
  state.aheadMs += 240_000;
  expect(await verdict(token)).toBe("ann");
  state.aheadMs += 400_000;
  expect(await verdict(token)).toBe("bad_token");
});

const FAILURES: [string, () => Response | Promise<Response>][] = [
  ["500", () => new Response("", { status: 500 })],
  ["404", () => new Response("no such page", { status: 404 })],
  ["a redirect", () => Response.redirect("http://127.0.0.1:1/keys", 302)],
  ["a web page", () => new Response("<html>")],
  ["JSON without keys", () => Response.json({ keys: "none" })],
  ["a flood", () => new Response("[".repeat(1024 * 1024))],
  ["silence", () => new Promise<Response>(() => undefined)],
];

test.each(FAILURES)(
  "an issuer that answers with %s: known keys go on, an unknown one is not refused",
  async (_, answer) => {
    const [k1, k2] = [await pair("k1"), await pair("k2")];
    const { state, verdict } = await issuer(k1);
    state.answer = answer;
    expect(await verdict(await signed(k1, "k1"))).toBe("unavailable");
    state.answer = undefined;
    state.aheadMs += 3_000;
    expect(await verdict(await signed(k1, "k1"))).toBe("ann");
    state.answer = answer;
    state.aheadMs += 700_000;
    expect(await verdict(await signed(k1, "k1"))).toBe("ann");
    state.aheadMs += 3_000;
    expect(await verdict(await signed(k2, "k2"))).toBe("unavailable");
    state.aheadMs += 25 * 3_600_000;
    expect(await verdict(await signed(k1, "k1"))).not.toBe("ann");
  },
);
