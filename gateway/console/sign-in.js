// The sign-in by a token.
import { begin, oidcOf } from "./oidc.js";
import { session, signIn } from "./session.js";
import { html, useEffect, useRef, useState } from "./ui/html.js";
import { Field } from "./ui/parts.js";

export function SignIn({ why, busy }) {
  const token = useRef();
  const [oidc, setOidc] = useState();
  useEffect(() => {
    token.current?.focus();
    oidcOf().then(setOidc);
  }, []);
  const leave = () =>
    begin(oidc).catch((error) => session.set({ me: undefined, why: error.message, busy: false }));
  const enter = (event) => {
    event.preventDefault();
    signIn(token.current.value);
  };
  return html`<main class="sign-in">
    <form id="sign-in" onSubmit=${enter}>
      <h1>Sluice console</h1>
      <p>Sign in with a token that has the scope <code>viewer</code> or <code>operator</code>.</p>
      <${Field} label="Token" hint="./sluice token --user NAME --scope operator">
        <input id="token" type="password" ref=${token} autocomplete="off" spellcheck=${false}
          required />
      </${Field}>
      <p id="sign-in-why" role="alert" class=${why ? "problem" : ""}>${why}</p>
      <button class=${oidc ? "" : "primary"} disabled=${busy}>
        ${busy ? "Signing in…" : "Sign in"}</button>
      ${
        oidc &&
        html`<button type="button" id="oidc" class="primary" onClick=${leave}>
        Sign in at ${new URL(oidc.issuer).host}</button>`
      }
    </form>
  </main>`;
}
