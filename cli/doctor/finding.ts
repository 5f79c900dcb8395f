/** The result of one check. `note`: it passes, or may be intended. `fix` says what to do. */
export interface Finding {
  readonly what: string;
  readonly state: "ok" | "note" | "warn" | "fail";
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
