// What a call answered, kept with its age. Each call under /v1/admin is audited, so pages call when
// somebody wants it, not every second.
import { call } from "../session.js";
import { useEffect, useState } from "./html.js";

/** Known (see known.ts) with `again()`. Without a path nothing is asked. */
export function useAsked(path) {
  const [known, set] = useState({ value: undefined, atMs: Number.NaN, why: "being asked" });
  const [times, setTimes] = useState(0);
  useEffect(() => {
    if (!path) return;
    let left = false;
    set((was) => (was.path === path ? was : { value: undefined, atMs: 0, why: "being asked" }));
    call("GET", path).then(({ ok, value, problem, field }) => {
      if (left) return;
      const atMs = performance.now();
      set((was) =>
        ok
          ? { path, value, atMs, why: "" }
          : { ...(was.path === path ? was : { value: undefined, atMs }), why: problem, field },
      );
    });
    return () => {
      left = true;
    };
  }, [path, times]);
  return { ...known, again: () => setTimes((n) => n + 1) };
}
