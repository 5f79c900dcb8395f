import { expect, test } from "bun:test";
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from "jose";
import { at } from "../../core/domain/at.ts";
import { Problem } from "../http/problem.ts";
import { AUDIENCE, ISSUER, SECRET, token } from "../testing.ts";
import { Auth, type AuthOptions } from "./auth.ts";

const deps = { shards: 4, clock: Date.now, maxCached: 100 };
const hs256: AuthOptions = {
  algorithm: "HS256",
  issuer: ISSUER,
  audience: AUDIENCE,
  key: { kind: "secret", secret: SECRET },
};

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
  expect(await verdict(auth, await token("not a name"))).toBe("bad_token");
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

test("a key that does not suit the algorithm is refused at start", async () => {
  expect(Auth.create({ ...hs256, key: { kind: "secret", secret: "short" } }, deps)).rejects.toThrow(
    "32 bytes",
  );
  expect(Auth.create({ ...hs256, algorithm: "RS256" }, deps)).rejects.toThrow("public key");
});
