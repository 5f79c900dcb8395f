// A dialog that gives the focus back, however it ends. A browser does so only where the dialog is
// closed before it leaves the page; one dialog may also lead to the next.
import { useLayoutEffect } from "./html.js";

/** What had the focus before the first dialog. */
let opener;

export function useModal(box) {
  useLayoutEffect(() => {
    const { activeElement: now } = document;
    if (now && now !== document.body && !now.closest("dialog")) opener = now;
    box.current.showModal();
    // While the dialog is in the page, what is behind it takes no focus.
    return () => setTimeout(giveBack);
  }, []);
}

function giveBack() {
  if (document.querySelector("dialog[open]")) return;
  const lost = document.activeElement === null || document.activeElement === document.body;
  if (lost) (opener?.isConnected ? opener : document.querySelector("h1"))?.focus();
}
