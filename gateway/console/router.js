// Each page has an address. Links within the console change it without loading the page again; the
// browser's own buttons work.
import { store } from "./ui/store.js";

export const place = store(here());

function here() {
  return {
    path: location.pathname.replace(/\/$/, ""),
    query: new URLSearchParams(location.search),
  };
}

export function go(address, { replace = false } = {}) {
  // A link to where one is leaves nothing to go back to.
  const same = address === location.pathname + location.search;
  history[replace || same ? "replaceState" : "pushState"](null, "", address);
  place.set(here());
}

/** An address within the console; empty members are left out. */
export function address(page, query = {}) {
  const kept = Object.entries(query).filter(([, v]) => v !== undefined && v !== "");
  const search = new URLSearchParams(kept).toString();
  return `/console${page ? `/${page}` : ""}${search ? `?${search}` : ""}`;
}

const PLAIN_FILES = /^\/console\/operations/;

addEventListener("popstate", () => place.set(here()));
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  const plain = event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey);
  if (!link || !plain || link.target || link.origin !== location.origin) return;
  if (!/^\/console(\/|$)/.test(link.pathname) || PLAIN_FILES.test(link.pathname)) return;
  if (link.hash) return; // a place on this page
  event.preventDefault();
  go(link.pathname + link.search);
});
