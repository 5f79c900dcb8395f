// Who is signed in, and calls to the gateway as that person.
import { store } from "./ui/store.js";

const TIMEOUT_MS = 5_000;
/** Changes of a sale or of many dead letters may take longer than a look. */
const CHANGE_TIMEOUT_MS = 30_000;
const KEY = "sluice-token";

const NOBODY = { me: undefined, why: "", busy: false, waits: false };
/**
 * `me`: {subject, operate}; without it nobody is signed in, and `why` may say the reason. `waits`:
 * the tab's token could not be checked yet.
 */
export const session = store(NOBODY);

const tokenNow = () => sessionStorage.getItem(KEY);

/** A call to the gateway: {ok, value} or {ok: false, status, problem, field}. */
export async function call(method, path, body, ref, left) {
  const token = tokenNow();
  const headers = {
    authorization: `Bearer ${token}`,
    ...(body ? { "content-type": "application/json" } : {}),
    ...(ref ? { "idempotency-key": ref } : {}),
  };
  try {
    const late = AbortSignal.timeout(method === "GET" ? TIMEOUT_MS : CHANGE_TIMEOUT_MS);
    const signal = left ? AbortSignal.any([late, left]) : late;
    const sent = body ? { body: JSON.stringify(body) } : {};
    const response = await fetch(path, { method, headers, signal, ...sent });
    const value = await response.json().catch(() => ({}));
    if (response.ok) return { ok: true, status: response.status, value };
    const { status } = response;
    // A late answer to an earlier token says nothing about the one of now.
    if (status === 401 && token === tokenNow()) signOut(wordsOf(value, status));
    return { ok: false, status, problem: wordsOf(value, status), field: value.field };
  } catch {
    return { ok: false, status: 0, problem: "the gateway does not answer" };
  }
}

/** A token as people copy it: out of a header, or out of JSON. */
const bare = (pasted) =>
  pasted
    .trim()
    .replace(/^Bearer\s+/i, "")
    .replace(/^"(.*)"$/, "$1");

/** The header of the token goes without saying; a claim that is wrong does not. */
function wordsOf({ title, detail, field }, status) {
  const said = [title, detail].filter(Boolean).join(": ") || `HTTP ${status}`;
  return field && field !== "Authorization" && !said.includes(field) ? `${said} (${field})` : said;
}

/** Signs in with a token, or with the one kept for this tab. */
export async function signIn(token) {
  if (token) sessionStorage.setItem(KEY, bare(token));
  const tried = tokenNow();
  if (!tried) return;
  const { why, waits } = session.get();
  session.set({ ...NOBODY, busy: true, ...(!token && waits ? { why, waits } : {}) });
  const answer = await call("GET", "/v1/admin/me");
  if (tried !== tokenNow()) return;
  if (answer.ok) session.set({ ...NOBODY, me: answer.value });
  else if (answer.status === 0 || answer.status >= 500)
    session.set({ ...NOBODY, why: answer.problem, waits: true });
  else if (answer.status === 403)
    signOut("Not allowed: this token has neither the scope viewer nor the scope operator");
  else signOut(answer.problem);
}

export function signOut(why = "") {
  sessionStorage.removeItem(KEY);
  session.set({ ...NOBODY, why });
}
