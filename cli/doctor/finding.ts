/** The result of one check. `fix` says how to fix a problem. */
export interface Finding {
  readonly what: string;
  readonly state: "ok" | "warn" | "fail";
  readonly detail: string;
  readonly fix?: string;
}

export const ok = (what: string, detail: string): Finding => ({ what, state: "ok", detail });
export const warn = (what: string, detail: string, fix: string): Finding => ({
  what,
  state: "warn",
  detail,
  fix,
});
export const fail = (what: string, detail: string, fix: string): Finding => ({
  what,
  state: "fail",
  detail,
  fix,
});
