// Who is signed in, and calls to the gateway as that person.
import { store } from "./ui/store.js";

const TIMEOUT_MS = 5_000;
/** Changes of a sale or of many dead letters may take longer than a look. */
const CHANGE_TIMEOUT_MS = 30_000;
const KEY = "sluice-token";

/** `me`: {subject, operate}; without it nobody is signed in, and `why` may say the reason. */
export const session = store({ me: undefined, why: "", busy: false });

const tokenNow = () => sessionStorage.getItem(KEY);

/** A call to the gateway: {ok, value} or {ok: false, status, problem, field}. */
export async function call(method, path, body, ref) {
  const headers = {
    authorization: `Bearer ${tokenNow()}`,
    ...(body ? { "content-type": "application/json" } : {}),
    ...(ref ? { "idempotency-key": ref } : {}),
  };
  try {
    const signal = AbortSignal.timeout(method === "GET" ? TIMEOUT_MS : CHANGE_TIMEOUT_MS);
    const sent = body ? { body: JSON.stringify(body) } : {};
    const response = await fetch(path, { method, headers, signal, ...sent });
    const value = await response.json().catch(() => ({}));
    if (response.ok) return { ok: true, status: response.status, value };
    if (response.status === 401) signOut(wordsOf(value, response.status));
    const { status } = response;
    return { ok: false, status, problem: wordsOf(value, status), field: value.field };
  } catch {
    return { ok: false, status: 0, problem: "the gateway does not answer" };
  }
}

function wordsOf({ title, detail, field }, status) {
  const said = [title, detail].filter(Boolean).join(": ") || `HTTP ${status}`;
  return field && !said.includes(field) ? `${said} (${field})` : said;
}

/** Signs in with a token, or with the one kept for this tab. */
export async function signIn(token) {
  if (token) sessionStorage.setItem(KEY, token.trim());
  if (!tokenNow()) return;
  session.set({ me: undefined, why: "", busy: true });
  const answer = await call("GET", "/v1/admin/me");
  if (answer.ok) session.set({ me: answer.value, why: "", busy: false });
  else if (answer.status === 0 || answer.status >= 500)
    session.set({ me: undefined, why: answer.problem, busy: false });
  else signOut(answer.problem);
}

export function signOut(why = "") {
  sessionStorage.removeItem(KEY);
  session.set({ me: undefined, why, busy: false });
}
