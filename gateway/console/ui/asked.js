// What a call answered, kept with its age. Each call under /v1/admin is audited, so pages call when
// somebody wants it, not every second.
//
// 1. One call at a time: whoever asks again meanwhile is served by one more call after it.
// 2. An answer is shown only for the path that it answers.
// 3. What could not be asked is asked again, ever more seldom, until it is answered: a gateway that
//    comes back finds the page as somebody left it.
import { call } from "../session.js";
import { useEffect, useRef, useState } from "./html.js";

const AGAIN_MS = 2_000;
const SELDOM_MS = 30_000;
/** No answer, or one that says that a store is away. */
const mayCome = ({ ok, status }) => !ok && (status === 0 || status >= 500);

const ASKING = { value: undefined, atMs: Number.NaN, why: "no answer yet" };

/** Known (see known.ts), `asked: true`, and `again()`. Without a path nothing is asked. */
export function useAsked(path) {
  const [known, set] = useState(ASKING);
  const [times, setTimes] = useState(0);
  const state = useRef({ busy: false, more: false, failures: 0 }).current;
  const next = () => setTimes((n) => n + 1);
  useEffect(() => {
    if (!path) return;
    const left = new AbortController();
    let later;
    Object.assign(state, { busy: true, more: false });
    call("GET", path, undefined, undefined, left.signal).then((answer) => {
      if (left.signal.aborted) return;
      set((was) => learned(was, path, answer));
      state.busy = false;
      state.failures = mayCome(answer) ? state.failures + 1 : 0;
      if (state.more)
        next(); // 1
      else if (state.failures > 0) later = setTimeout(next, pauseAfter(state.failures)); // 3
    });
    return () => {
      left.abort();
      clearTimeout(later);
      state.busy = false;
    };
  }, [path, times]);
  const again = () => {
    if (state.busy) state.more = true;
    else next();
  };
  return { ...(known.path === path ? known : ASKING), asked: true, again }; // 2
}

const pauseAfter = (failures) => Math.min(SELDOM_MS, AGAIN_MS * 2 ** (failures - 1));

function learned(was, path, { ok, value, problem, field }) {
  const atMs = performance.now();
  if (ok) return { path, value, atMs, why: "" };
  const kept = was.path === path ? was : { value: undefined, atMs };
  return { ...kept, path, why: problem, field };
}
