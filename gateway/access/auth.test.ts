import { expect, test } from "bun:test";
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from "jose";
import { at } from "../../core/domain/at.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { Problem } from "../http/problem.ts";
import { AUDIENCE, ISSUER, SECRET, token } from "../testing.ts";
import { Auth, type AuthOptions } from "./auth.ts";

const deps = { runtime: realRuntime, shards: 4, clock: Date.now, maxCached: 100 };
const hs256: AuthOptions = {
  algorithm: "HS256",
  issuer: ISSUER,
  audience: AUDIENCE,
  key: { kind: "secret", secret: SECRET },
  toleranceMs: 0,
};

/** A token of "ann", with these claims instead. */
function signed(claims: Record<string, unknown>, header: { typ?: string } = {}): Promise<string> {
  const base = { sub: "ann", iss: ISSUER, aud: AUDIENCE, exp: Math.floor(Date.now() / 1000) + 60 };
  return new SignJWT({ ...base, ...claims })
    .setProtectedHeader({ alg: "HS256", ...header })
    .sign(new TextEncoder().encode(SECRET));
}

/** The code of the refusal, or the user the token names. */
async function verdict(auth: Auth, value: string): Promise<string> {
  const got = await auth.token(value);
  return got instanceof Problem ? got.code : got.user;
}

test("a verified token names its user and scopes, and is found again at once", async () => {
  const auth = await Auth.create(hs256, deps);
  const value = await token("ann", { scope: "operator service" });
  expect(auth.known(`Bearer ${value}`)).toBeUndefined();
  expect(await auth.header(`Bearer ${value}`)).toMatchObject({
    user: "ann",
    operator: true,
    service: true,
  });
  expect(auth.known(`Bearer ${value}`)).toMatchObject({ user: "ann" });
  expect(auth.token(value)).not.toBeInstanceOf(Promise);
});

test("no token, garbage, and a wrong scheme, issuer, audience or key are refused", async () => {
  const auth = await Auth.create(hs256, deps);
  expect(auth.header(null)).toMatchObject({ code: "no_token" });
  expect(auth.header("Basic YTpi")).toMatchObject({ code: "no_token" });
  for (const garbage of ["", "a.b.c", "x", "..", `${"a".repeat(5_000)}.b.c`])
    expect(await verdict(auth, garbage)).toBe("bad_token");
  expect(await verdict(auth, await token("ann", { issuer: "other" }))).toBe("bad_token");
  expect(await verdict(auth, await token("ann", { audience: "other" }))).toBe("bad_token");
  expect(
    await verdict(auth, await token("ann", { secret: "another secret, long enough as well" })),
  ).toBe("bad_token");
  expect(await verdict(auth, await token("no\nname"))).toBe("bad_token");
});

test("an unsigned token and one signed with another algorithm are refused", async () => {
  const { privateKey, publicKey } = await generateKeyPair("RS256");
  const pem = await exportSPKI(publicKey);
  const auth = await Auth.create({ ...hs256, algorithm: "RS256", key: { kind: "pem", pem } }, deps);
  const claims = {
    sub: "ann",
    iss: ISSUER,
    aud: AUDIENCE,
    exp: Math.floor(Date.now() / 1000) + 60,
  };
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  expect(await verdict(auth, `${part({ alg: "none" })}.${part(claims)}.AA`)).toBe("bad_token");
  // The classic attack: HS256 with the public key's text as the secret.
  const forged = await new SignJWT(claims)
    .setProtectedHeader({ alg: "HS256" })
    .sign(new TextEncoder().encode(pem));
  expect(await verdict(auth, forged)).toBe("bad_token");
  expect(
    await verdict(
      auth,
      await new SignJWT(claims).setProtectedHeader({ alg: "RS256" }).sign(privateKey),
    ),
  ).toBe("ann");
});

test("a token is valid until it expires, not a millisecond longer, cached or not", async () => {
  let nowMs = Date.now();
  const auth = await Auth.create(hs256, { ...deps, clock: () => nowMs });
  const value = await token("ann", { expiresInS: 10 });
  const expiresAtMs = (Math.floor(Date.now() / 1000) + 10) * 1000;
  expect(await verdict(auth, value)).toBe("ann");
  nowMs = expiresAtMs - 1;
  expect(auth.known(`Bearer ${value}`)).toBeDefined();
  nowMs = expiresAtMs;
  expect(auth.known(`Bearer ${value}`)).toBeUndefined();
  expect(await verdict(auth, value)).toBe("token_expired");
});

test("ES256 and EdDSA keys come from a JWKS, by file or by URL", async () => {
  for (const algorithm of ["ES256", "EdDSA"] as const) {
    const { privateKey, publicKey } = await generateKeyPair(algorithm);
    const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: "k1", alg: algorithm }] };
    using server = Bun.serve({ port: 0, fetch: () => Response.json(jwks) });
    const value = await new SignJWT({})
      .setProtectedHeader({ alg: algorithm, kid: "k1" })
      .setSubject("ann")
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setExpirationTime("1h")
      .sign(privateKey);
    for (const key of [
      { kind: "jwks", jwks } as const,
      { kind: "jwksUrl", url: server.url.href } as const,
    ])
      expect(await verdict(await Auth.create({ ...hs256, algorithm, key }, deps), value)).toBe(
        "ann",
      );
  }
});

test("a key set that cannot be fetched is our failure, not the token's", async () => {
  const { privateKey } = await generateKeyPair("ES256");
  const value = await new SignJWT({})
    .setProtectedHeader({ alg: "ES256" })
    .setSubject("ann")
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setExpirationTime("1h")
    .sign(privateKey);
  const auth = await Auth.create(
    { ...hs256, algorithm: "ES256", key: { kind: "jwksUrl", url: "http://127.0.0.1:1/" } },
    deps,
  );
  expect(await verdict(auth, value)).toBe("unavailable");
});

test("the cache is bounded: the oldest token is evicted and verified again", async () => {
  const auth = await Auth.create(hs256, { ...deps, maxCached: 2 });
  const values = [await token("a"), await token("b"), await token("c")];
  for (const value of values) await auth.token(value);
  expect(values.map((v) => auth.known(`Bearer ${v}`)?.user)).toEqual([undefined, "b", "c"]);
  expect(await verdict(auth, at(values, 0))).toBe("a");
});

test("the issuer's clock may differ by the tolerance, for exp and nbf", async () => {
  let nowMs = Date.now();
  const auth = await Auth.create(
    { ...hs256, toleranceMs: 30_000 },
    { ...deps, clock: () => nowMs },
  );
  const nowS = Math.floor(nowMs / 1000);
  expect(await verdict(auth, await signed({ exp: nowS + 60, nbf: nowS + 25 }))).toBe("ann");
  expect(await verdict(auth, await signed({ exp: nowS + 60, nbf: nowS + 40 }))).toBe("bad_token");
  const short = await signed({ exp: nowS + 10 });
  nowMs = (nowS + 39) * 1000;
  expect(await verdict(auth, short)).toBe("ann");
  nowMs = (nowS + 40) * 1000;
  expect(await verdict(auth, short)).toBe("token_expired");
});

test("a token's life is bounded, and infinite ones are refused", async () => {
  const auth = await Auth.create({ ...hs256, maxLifeMs: 3_600_000 }, deps);
  const nowS = Math.floor(Date.now() / 1000);
  expect(await verdict(auth, await signed({ exp: nowS + 3_500 }))).toBe("ann");
  expect(await verdict(auth, await signed({ exp: nowS + 3_700 }))).toBe("bad_token");
  const part = (text: string) => Buffer.from(text).toString("base64url");
  const claims = `{"sub":"ann","iss":"${ISSUER}","aud":"${AUDIENCE}","exp":1e999}`;
  const forever = `${part('{"alg":"HS256"}')}.${part(claims)}`;
  const mac = new Bun.CryptoHasher("sha256", SECRET).update(forever).digest("base64url");
  expect(await verdict(auth, `${forever}.${mac}`)).toBe("bad_token");
});

test.each([[5], [true], [null], [["ann"]], [""], ["a".repeat(256)]])(
  "a sub of %p is refused",
  async (sub) => {
    const auth = await Auth.create(hs256, deps);
    expect(await verdict(auth, await signed({ sub }))).toBe("bad_token");
  },
);

test("what identity providers call users is a name, each its own", async () => {
  const auth = await Auth.create(hs256, deps);
  expect(await verdict(auth, await signed({ sub: "auth0|5f7c" }))).toBe("@auth0_7c5f7c");
  expect(await verdict(auth, await signed({ sub: "@auth0_7c5f7c" }))).toBe("@_40auth0_5f7c5f7c");
});

test("claims of user, audience and scopes are settings, and scopes may be an array", async () => {
  const claims = { user: "username", audience: "client_id", scope: "realm_access.roles" };
  const auth = await Auth.create({ ...hs256, claims }, deps);
  const mine = { username: "maria", client_id: AUDIENCE, aud: "other" };
  const got = await auth.token(await signed({ ...mine, realm_access: { roles: ["operator"] } }));
  expect(got).toMatchObject({ user: "maria", operator: true, service: false });
  expect(await verdict(auth, await signed({ ...mine, client_id: "other" }))).toBe("bad_token");
  const dotted = { ...claims, scope: "https://shop.example/scopes" };
  const namespaced = await Auth.create({ ...hs256, claims: dotted }, deps);
  const value = await signed({ ...mine, [dotted.scope]: "service" });
  expect(await namespaced.token(value)).toMatchObject({ service: true, operator: false });
});

test("another type of token is refused where one is required", async () => {
  const auth = await Auth.create({ ...hs256, type: "at+jwt" }, deps);
  expect(await verdict(auth, await signed({}, { typ: "JWT" }))).toBe("bad_token");
  expect(await verdict(auth, await signed({}, { typ: "at+jwt" }))).toBe("ann");
});

test("a key that does not suit the algorithm is refused at start", async () => {
  expect(Auth.create({ ...hs256, key: { kind: "secret", secret: "short" } }, deps)).rejects.toThrow(
    "32 bytes",
  );
  expect(Auth.create({ ...hs256, algorithm: "RS256" }, deps)).rejects.toThrow("public key");
});
