/** The result of one check. `mend` says how to fix a problem. */
export interface Finding {
  readonly what: string;
  readonly state: "ok" | "warn" | "fail";
  readonly detail: string;
  readonly mend?: string;
}

export const ok = (what: string, detail: string): Finding => ({ what, state: "ok", detail });
export const warn = (what: string, detail: string, mend: string): Finding => ({
  what,
  state: "warn",
  detail,
  mend,
});
export const fail = (what: string, detail: string, mend: string): Finding => ({
  what,
  state: "fail",
  detail,
  mend,
});
