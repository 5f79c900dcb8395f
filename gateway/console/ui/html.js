// Preact with templates. Text is only ever set as text: what is shown comes from strangers too.
import htm from "../lib/htm.js";
import { Component, h, render } from "../lib/preact.js";

export { useEffect, useLayoutEffect, useMemo, useRef, useState } from "../lib/hooks.js";
export { Component, render };
export const html = htm.bind(h);
