// Signs in at an issuer of OpenID Connect: authorization code with PKCE (RFC 7636). The access
// token it gives is the one that the gateway checks; nothing else of the issuer is believed.
import { go } from "./router.js";

const KEY = "sluice-oidc";
const TIMEOUT_MS = 10_000;

/** The gateway's {issuer, clientId, scope}; undefined: there is no issuer. */
export async function oidcOf() {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const answer = await fetch("/console/sign-in.json", { signal }).catch(() => undefined);
  return answer?.ok ? (await answer.json()).oidc : undefined;
}

async function endpointsOf({ issuer }) {
  const address = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const found = await json(fetch(address, { signal: AbortSignal.timeout(TIMEOUT_MS) }), issuer);
  if (found.issuer !== issuer) throw new Error(`${issuer} calls itself ${found.issuer}`);
  return found;
}

async function json(asked, whom) {
  const answer = await asked.catch(() => undefined);
  if (!answer)
    throw new Error(
      `${new URL(whom).host} does not answer: it is away, or does not allow ${location.origin} ` +
        "as a web origin",
    );
  const value = await answer.json().catch(() => ({}));
  if (answer.ok) return value;
  throw new Error(
    `${new URL(whom).host}: ${value.error_description ?? value.error ?? answer.status}`,
  );
}

/** Leaves for the issuer's own page. */
export async function begin(oidc) {
  if (!crypto.subtle) throw new Error("this sign-in needs https, or localhost");
  const { authorization_endpoint: at } = await endpointsOf(oidc);
  const [verifier, state] = [random(), random()];
  const back = location.pathname + location.search;
  sessionStorage.setItem(KEY, JSON.stringify({ verifier, state, back, at }));
  const query = new URLSearchParams({
    response_type: "code",
    client_id: oidc.clientId,
    scope: oidc.scope,
    redirect_uri: returnAddress(),
    state,
    code_challenge: await hashOf(verifier),
    code_challenge_method: "S256",
  });
  location.assign(`${at}${at.includes("?") ? "&" : "?"}${query}`);
}

/** The token, if this page was opened by the issuer; throws an Error with what it said. */
export async function finish() {
  const query = new URLSearchParams(location.search);
  if (!query.has("state") || !(query.has("code") || query.has("error"))) return undefined;
  const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "{}");
  const { verifier, state, back = "/console", at } = kept;
  sessionStorage.removeItem(KEY);
  // Neither the code nor the state stays in the address.
  go(back, { replace: true });
  if (state === undefined || query.get("state") !== state)
    throw new Error("this sign-in did not begin in this tab");
  if (query.has("error")) {
    const why = query.get("error_description") ?? query.get("error").replaceAll("_", " ");
    throw new Error(`${new URL(at).host} did not sign you in: ${why}`);
  }
  const oidc = await oidcOf();
  if (!oidc) throw new Error("the gateway does not answer");
  return tokenFor(oidc, query.get("code"), verifier);
}

async function tokenFor(oidc, code, verifier) {
  const { token_endpoint: at } = await endpointsOf(oidc);
  const body = new URLSearchParams({
    ...{ grant_type: "authorization_code", code, code_verifier: verifier },
    ...{ client_id: oidc.clientId, redirect_uri: returnAddress() },
  });
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const given = await json(fetch(at, { method: "POST", body, signal }), at);
  if (typeof given.access_token !== "string")
    throw new Error(`${new URL(at).host} gave no access token`);
  return given.access_token;
}

const returnAddress = () => `${location.origin}/console`;
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

async function hashOf(text) {
  return base64url(
    new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))),
  );
}

function base64url(bytes) {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
