// The sign-in: at the issuer where there is one, or by a token.

import { Mark } from "./mark.js";
import { begin, oidcOf } from "./oidc.js";
import { signIn, signOut } from "./session.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "./ui/html.js";
import { Field } from "./ui/parts.js";

/** How often a token is tried again that the gateway could not check. */
const AGAIN_MS = 3_000;

export function SignIn({ why, busy, waits }) {
  const token = useRef();
  const [oidc, setOidc] = useState();
  // Not after the next frame: on a slow machine, what is typed at once would be lost.
  useLayoutEffect(() => token.current.focus(), []);
  useEffect(() => void oidcOf().then(setOidc), []);
  useEffect(() => {
    if (!waits || busy) return;
    const timer = setTimeout(signIn, AGAIN_MS);
    return () => clearTimeout(timer);
  }, [waits, busy]);
  const leave = () => begin(oidc).catch((error) => signOut(error.message));
  const enter = (event) => {
    event.preventDefault();
    signIn(token.current.value);
  };
  return html`<main class="sign-in">
    <form id="sign-in" onSubmit=${enter}>
      <h1><${Mark} />Sluice console</h1>
      ${
        oidc
          ? html`<p>Your account needs the scope <code>viewer</code> or <code>operator</code>.</p>
            <button type="button" id="oidc" class="primary" onClick=${leave}>
              Sign in at ${new URL(oidc.issuer).host}</button>
            <p class="or">or</p>`
          : html`<p>Sign in with a token that has the scope <code>viewer</code> or${" "}
            <code>operator</code>.</p>`
      }
      <${Field} label="Token" hint=${oidc ? "" : "./sluice token --user NAME --scope operator"}>
        <input id="token" type="password" ref=${token} autocomplete="off" spellcheck=${false}
          required />
      </${Field}>
      <p id="sign-in-why" role="alert" class=${why ? "problem" : ""}>${
        waits ? `${why}. Trying again every few seconds.` : why
      }</p>
      <button class=${oidc ? "" : "primary"} disabled=${busy && !waits}>
        ${busy && !waits ? "Signing in…" : oidc ? "Sign in with the token" : "Sign in"}</button>
    </form>
  </main>`;
}
